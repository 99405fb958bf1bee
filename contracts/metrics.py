"""Names of the metrics that the platform emits and its alarms read.

Each costs as much as three alarms, so what no alarm reads is a field of a log line: docs/cost.md, "Metrics and log fields".
"""

NAMESPACE = "Totesys"

#: Extractions that ended well, with or without a batch.
SOURCE_CHECKED = "SourceChecked"
#: Age, in seconds, of the oldest batch of which no load has confirmed that the warehouse shows it; 0 when all are
#: confirmed. The extraction tells, so that it grows when no load runs at all.
OLDEST_UNLOADED_BATCH_AGE = "OldestUnloadedBatchAge"
#: Rows of the source that are quarantined because they fail a check.
ROWS_QUARANTINED = "RowsQuarantined"
