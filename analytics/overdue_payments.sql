-- Payments that are due and not paid, the oldest first.
WITH current_payments AS (
    SELECT *, row_number() OVER (PARTITION BY payment_id ORDER BY payment_record_id DESC) AS age
    FROM fact_payment
)
SELECT p.payment_id, t.payment_type_name, c.counterparty_legal_name, p.payment_date, p.payment_amount
FROM current_payments AS p
JOIN dim_payment_type AS t ON t.payment_type_id = p.payment_type_id
JOIN dim_counterparty AS c ON c.counterparty_id = p.counterparty_id
WHERE p.age = 1
  AND NOT EXISTS (
      SELECT 1 FROM source_deletion AS x
      WHERE x.source_table = 'payment' AND x.source_key = p.payment_id AND x.batch_id >= p.batch_id
  )
  AND NOT p.paid AND p.payment_date < current_date
ORDER BY p.payment_date, p.payment_id
