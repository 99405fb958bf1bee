-- What does each department spend by month, in each currency?
SELECT department_name, year("day") AS year, month("day") AS month, currency_code, sum(amount) AS amount
FROM purchases_by_day
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
