-- What was ordered from one supplier, the newest order first?
-- Example: 5
SELECT p.purchase_order_id, p.created_date, p.item_code, p.item_quantity, p.item_unit_price, c.currency_code,
       p.agreed_delivery_date
FROM current_purchase_order AS p
JOIN dim_currency AS c ON c.currency_id = p.currency_id
WHERE p.counterparty_id = ?
ORDER BY p.purchase_order_id DESC
