-- What were the sales by currency as they stood at a moment, UTC?
-- Example: timestamp '2024-01-01 00:00:00', timestamp '2024-01-01 00:00:00'
SELECT c.currency_code, count(*) AS orders, sum(h.units_sold) AS units, sum(h.units_sold * h.unit_price) AS amount
FROM history_sales_order AS h
JOIN dim_currency AS c ON c.currency_id = h.currency_id
WHERE h.valid_from <= ? AND (h.valid_to IS NULL OR h.valid_to > ?)
GROUP BY 1
ORDER BY 1
