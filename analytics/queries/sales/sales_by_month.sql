-- What is sold by month, in each currency?
SELECT year("day") AS year, month("day") AS month, currency_code, sum(orders) AS orders, sum(units) AS units,
       sum(amount) AS amount
FROM sales_by_day
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
