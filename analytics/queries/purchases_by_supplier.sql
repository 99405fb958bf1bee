-- What is bought from whom, by currency, each order in its newest version?
SELECT p.counterparty_legal_name, c.currency_code, count(*) AS orders,
       sum(o.item_quantity * o.item_unit_price) AS spent
FROM {current_purchase_order} AS o
JOIN dim_counterparty AS p ON p.counterparty_id = o.counterparty_id
JOIN dim_currency AS c ON c.currency_id = o.currency_id
GROUP BY p.counterparty_legal_name, c.currency_code
ORDER BY spent DESC
