-- Which ten customers buy most, in each currency, and what share of all sales is theirs?
SELECT currency_code, place, counterparty_legal_name, orders, amount, share
FROM (
    SELECT currency_code, counterparty_legal_name, sum(orders) AS orders, sum(amount) AS amount,
           rank() OVER (PARTITION BY currency_code ORDER BY sum(amount) DESC) AS place,
           round(cast(sum(amount) AS double) / cast(sum(sum(amount)) OVER (PARTITION BY currency_code) AS double), 4) AS share
    FROM sales_by_day
    GROUP BY currency_code, counterparty_legal_name
) AS ranked
WHERE place <= 10
ORDER BY currency_code, place, counterparty_legal_name
