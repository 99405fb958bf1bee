-- How long did each of the last 50 batches take from the source to the lake and to the warehouse?
SELECT batch, max(snapshot_time) AS snapshot_time, max(seconds_to_lake) AS seconds_to_lake,
       max(seconds_to_warehouse) AS seconds_to_warehouse, sum(inserted) AS inserted, sum(updated) AS updated,
       sum(deleted) AS deleted
FROM publication_table
GROUP BY batch
ORDER BY batch DESC
LIMIT 50
