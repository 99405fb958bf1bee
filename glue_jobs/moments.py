"""A batch's snapshot as a moment."""

from datetime import UTC, datetime

from pyspark.sql import Column
from pyspark.sql import functions as F

from glue_jobs.workplace import Batch


def moment(batch: Batch) -> Column:
    """Return when the batch's snapshot was taken, UTC, without zone."""
    time = datetime.fromisoformat(batch.manifest.snapshot_time).astimezone(UTC)
    return F.lit(time.strftime("%Y-%m-%d %H:%M:%S.%f")).cast("timestamp_ntz")
