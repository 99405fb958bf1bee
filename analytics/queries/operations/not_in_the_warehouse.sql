-- Which batches are in the lake, and no load has confirmed them?
SELECT DISTINCT batch, published_at
FROM publication_table
WHERE loaded_at IS NULL
ORDER BY batch
