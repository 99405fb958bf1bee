-- What is the lowest, the highest and the last price paid for each item, in each currency?
SELECT p.item_code, c.currency_code, count(*) AS orders, min(p.item_unit_price) AS lowest_price,
       max(p.item_unit_price) AS highest_price, max_by(p.item_unit_price, p.purchase_order_id) AS last_price
FROM current_purchase_order AS p
JOIN dim_currency AS c ON c.currency_id = p.currency_id
GROUP BY 1, 2
ORDER BY 1, 2
