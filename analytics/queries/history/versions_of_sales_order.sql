-- How did a sales order change, and from when to when did each version hold?
-- Example: 7
SELECT sales_order_id, valid_from, valid_to, is_current, sales_staff_id, design_id, units_sold, unit_price,
       agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id
FROM history_sales_order
WHERE sales_order_id = ?
ORDER BY valid_from
