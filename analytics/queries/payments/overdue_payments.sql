-- Which payments are due and not made, the oldest first?
SELECT p.payment_id, t.payment_type_name, c.counterparty_legal_name, p.payment_date, p.payment_amount, u.currency_code
FROM current_payment AS p
JOIN dim_payment_type AS t ON t.payment_type_id = p.payment_type_id
JOIN dim_counterparty AS c ON c.counterparty_id = p.counterparty_id
JOIN dim_currency AS u ON u.currency_id = p.currency_id
WHERE NOT p.paid AND p.payment_date < current_date
ORDER BY p.payment_date, p.payment_id
