-- What did each salesperson sell from one day to another, both included?
-- Example: date '2023-01-01', date '2023-03-31'
SELECT staff_id, department_name, currency_code, sum(orders) AS orders, sum(units) AS units, sum(amount) AS amount
FROM sales_by_day
WHERE "day" BETWEEN ? AND ?
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
