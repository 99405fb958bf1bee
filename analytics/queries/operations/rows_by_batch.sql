-- How many rows of each source table did each batch read, and how many did the source have?
SELECT batch, table_name, rows_read, source_count
FROM batch_table
WHERE "read" <> 'nothing'
ORDER BY batch, table_name
