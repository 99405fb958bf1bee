-- Which ten designs sell most, in each currency?
SELECT currency_code, place, design_name, units, amount
FROM (
    SELECT currency_code, design_name, sum(units) AS units, sum(amount) AS amount,
           rank() OVER (PARTITION BY currency_code ORDER BY sum(amount) DESC) AS place
    FROM sales_by_day
    GROUP BY currency_code, design_name
) AS ranked
WHERE place <= 10
ORDER BY currency_code, place, design_name
