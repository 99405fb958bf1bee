"""Names of the metrics that the platform emits and its alarms read."""

NAMESPACE = "Totesys"

#: Extractions that ended well, with or without a batch.
SOURCE_CHECKED = "SourceChecked"
#: Batches committed.
BATCHES_COMMITTED = "BatchesCommitted"
#: Rows written to the ingestion bucket.
ROWS_EXTRACTED = "RowsExtracted"
#: Seconds for which an open source transaction keeps the horizon where it is, so that rows are read again.
HORIZON_AGE = "HorizonAge"
#: Publications loaded into the warehouse.
PUBLICATIONS_LOADED = "PublicationsLoaded"
#: Seconds from a batch's source snapshot to its visibility in the warehouse.
TIME_TO_WAREHOUSE = "TimeToWarehouse"
#: The same of each table that a batch changed, with the dimension ``table``.
TABLE_TIME_TO_WAREHOUSE = "TableTimeToWarehouse"
#: Age, in seconds, of the oldest batch of which no load has confirmed that the warehouse shows it; 0 when all are
#: confirmed. The extraction tells, so that it grows when no load runs at all.
OLDEST_UNLOADED_BATCH_AGE = "OldestUnloadedBatchAge"
#: Age, in seconds, of the oldest batch that the warehouse does not show yet; 0 when it shows all.
FRESHNESS = "Freshness"
#: Rows of the source that are quarantined because they fail a check.
ROWS_QUARANTINED = "RowsQuarantined"
