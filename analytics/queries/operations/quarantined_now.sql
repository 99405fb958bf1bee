-- Which rows are quarantined, and since when?
SELECT source_table, source_key, column_name, "value", reason, opened_at
FROM quarantined
WHERE is_open
ORDER BY source_table, source_key
