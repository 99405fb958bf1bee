-- How much is open, in each currency, and for how long has it been due?
SELECT currency_code, payment_type_name, days_overdue, sum(payments) AS payments, sum(open_amount) AS open_amount
FROM payment_ageing
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
