-- Which orders have no payment, made or open?
SELECT transaction_type, order_id, created_date, counterparty_legal_name, order_amount, currency_code
FROM order_to_payment
WHERE payment_id IS NULL
ORDER BY transaction_type, order_id
