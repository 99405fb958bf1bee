-- What is to be paid, or was, from one day to another, both included?
-- Example: date '2024-01-01', date '2024-01-31'
SELECT "day", payment_type_name, currency_code, paid, sum(payments) AS payments, sum(amount) AS amount
FROM payments_by_day
WHERE "day" BETWEEN ? AND ?
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
