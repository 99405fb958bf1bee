-- What is sold by month and currency, each order in its newest version?
SELECT d.year, d.month, c.currency_code, count(*) AS orders, sum(s.units_sold) AS units,
       sum(s.units_sold * s.unit_price) AS revenue
FROM {current_sales_order} AS s
JOIN dim_date AS d ON d.date_id = s.created_date
JOIN dim_currency AS c ON c.currency_id = s.currency_id
GROUP BY d.year, d.month, c.currency_code
ORDER BY d.year, d.month, c.currency_code
