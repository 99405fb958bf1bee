-- What was bought from whom, each order in its newest version.
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
GROUP BY p.counterparty_legal_name, c.currency_code
ORDER BY spent DESC
