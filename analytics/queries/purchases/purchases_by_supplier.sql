-- What is bought from whom, in each currency?
SELECT counterparty_legal_name, currency_code, sum(orders) AS orders, sum(items) AS items, sum(amount) AS amount
FROM purchases_by_day
GROUP BY 1, 2
ORDER BY 1, 2
