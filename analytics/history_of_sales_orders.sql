-- Every version of every sales order that was ever changed.
SELECT sales_order_id, sales_record_id, batch_id, last_updated_date, last_updated_time, sales_staff_id, design_id,
       agreed_delivery_date, agreed_delivery_location_id
FROM fact_sales_order
WHERE sales_order_id IN (SELECT sales_order_id FROM fact_sales_order GROUP BY sales_order_id HAVING count(*) > 1)
ORDER BY sales_order_id, sales_record_id
