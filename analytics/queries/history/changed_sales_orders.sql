-- Which sales orders were changed, and how often?
SELECT sales_order_id, count(*) - 1 AS changes, max(valid_from) AS last_changed
FROM history_sales_order
GROUP BY sales_order_id
HAVING count(*) > 1
ORDER BY changes DESC, sales_order_id
