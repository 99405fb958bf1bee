-- Which payments are of another amount or currency than their orders?
SELECT transaction_type, order_id, payment_id, order_amount, currency_code, payment_amount, payment_currency_code
FROM order_to_payment
WHERE payment_amount <> order_amount OR payment_currency_code <> currency_code
ORDER BY transaction_type, order_id
