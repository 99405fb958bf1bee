-- What was bought from whom, each order in its newest version; deleted ones left out.
WITH current_purchases AS (
    SELECT *, row_number() OVER (PARTITION BY purchase_order_id ORDER BY purchase_record_id DESC) AS age
    FROM fact_purchase_orders
)
SELECT p.counterparty_legal_name, c.currency_code, count(*) AS orders,
       sum(o.item_quantity * o.item_unit_price) AS spent
FROM current_purchases AS o
JOIN dim_counterparty AS p ON p.counterparty_id = o.counterparty_id
JOIN dim_currency AS c ON c.currency_id = o.currency_id
WHERE o.age = 1
  AND NOT EXISTS (
      SELECT 1 FROM source_deletion AS x
      WHERE x.source_table = 'purchase_order' AND x.source_key = o.purchase_order_id AND x.batch_id >= o.batch_id
  )
GROUP BY p.counterparty_legal_name, c.currency_code
ORDER BY spent DESC
