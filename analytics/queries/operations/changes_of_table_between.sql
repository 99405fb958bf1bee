-- Which batches changed a table from one day to another (the second not included), how many rows, and how long did it take?
-- Example: 'fact_payment', date '2024-11-01', date '2099-01-01'
SELECT batch, snapshot_time, inserted, updated, deleted, seconds_to_lake, seconds_to_warehouse
FROM publication_table
WHERE table_name = ? AND snapshot_time >= ? AND snapshot_time < ? AND inserted + updated + deleted > 0
ORDER BY batch
