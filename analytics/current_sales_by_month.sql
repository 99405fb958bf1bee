-- Sales by month and currency, each order in its newest version; deleted ones left out.
WITH current_sales AS (
    SELECT *, row_number() OVER (PARTITION BY sales_order_id ORDER BY sales_record_id DESC) AS age
    FROM fact_sales_order
)
SELECT d.year, d.month, c.currency_code, count(*) AS orders, sum(s.units_sold) AS units,
       sum(s.units_sold * s.unit_price) AS revenue
FROM current_sales AS s
JOIN dim_date AS d ON d.date_id = s.created_date
JOIN dim_currency AS c ON c.currency_id = s.currency_id
WHERE s.age = 1
  AND NOT EXISTS (
      SELECT 1 FROM source_deletion AS x
      WHERE x.source_table = 'sales_order' AND x.source_key = s.sales_order_id AND x.batch_id >= s.batch_id
  )
GROUP BY d.year, d.month, c.currency_code
ORDER BY d.year, d.month, c.currency_code
