-- How did sales orders change, every version of each that was ever changed, and from when to when did it hold?
SELECT v.sales_order_id, v.sales_record_id, v.valid_from, v.valid_to, v.is_current, v.sales_staff_id, v.design_id,
       v.units_sold, v.unit_price, v.agreed_delivery_date, v.agreed_delivery_location_id
FROM {history_sales_order} AS v
WHERE v.sales_order_id IN (SELECT sales_order_id FROM fact_sales_order GROUP BY sales_order_id HAVING count(*) > 1)
ORDER BY v.sales_order_id, v.sales_record_id
