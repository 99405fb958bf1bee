"""Moments of a batch: its snapshot, and when its rows were written. UTC, without zone."""

from datetime import UTC, datetime

from pyspark.errors import PySparkException
from pyspark.sql import Column
from pyspark.sql import functions as F

from glue_jobs.context import Batch


def moment(batch: Batch) -> Column:
    """Return when the batch's snapshot was taken, UTC, without zone."""
    time = datetime.fromisoformat(batch.manifest.snapshot_time).astimezone(UTC)
    return F.lit(time.strftime("%Y-%m-%d %H:%M:%S.%f")).cast("timestamp_ntz")


def created_utc(batch: Batch) -> Column:
    """Return when the source row was written: ``created_at``, which the source's server has in its own zone.

    A zone that is not known, or that Java does not know, counts as UTC.
    """
    created = F.col("created_at").cast("timestamp_ntz")
    zone = batch.manifest.time_zone
    return F.convert_timezone(F.lit(zone), F.lit("UTC"), created) if _is_known(batch, zone) else created


def _is_known(batch: Batch, zone: str) -> bool:
    java = batch.place.spark._jvm
    if not zone or java is None:
        return False
    try:
        java.java.time.ZoneId.of(zone)
    except PySparkException:
        return False
    return True
