-- To which countries is sold, in each currency?
SELECT counterparty_legal_country AS country, currency_code, sum(orders) AS orders, sum(amount) AS amount
FROM sales_by_day
GROUP BY 1, 2
ORDER BY 1, 2
