-- Which tables were read whole, and why?
SELECT batch, table_name, reason, rows_read
FROM batch_table
WHERE "read" = 'whole'
ORDER BY batch, table_name
