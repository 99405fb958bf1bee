"""``dim_date`` grows with the facts."""

from collections.abc import Collection
from dataclasses import replace

from pyspark.sql import functions as F

from contracts.checksum import mix
from contracts.publication import TablePublication
from contracts.star import DIM_DATE
from glue_jobs.days import Ranges, days_of, lacking, merged
from glue_jobs.star import calendar
from glue_jobs.star.versions import with_hash
from glue_jobs.workplace import Batch, unchanged


def days_before(batch: Batch) -> Ranges:
    """Return the days that the calendar has before the batch.

    The previous publication says so; where it is of a release that did not, its range of keys does when that is gapless,
    and else the table is read, once.
    """
    if batch.previous and batch.previous.calendar is not None:
        return batch.previous.calendar
    before = batch.before[DIM_DATE.name]
    if before.is_gapless:
        return ((before.lowest_key, before.highest_key),) if before.current_keys else ()
    years = batch.rows_before(DIM_DATE).select("year").distinct().collect()
    return merged(days_of(row["year"]) for row in years)


def days_after(days: Ranges, years: Collection[int]) -> Ranges:
    """Return the days that a calendar has after a batch whose rows refer to `years`."""
    return merged([*days, *map(days_of, years)])


def record(batch: Batch, days: Ranges, years: Collection[int]) -> TablePublication:
    """Add the years that the batch's rows refer to and the calendar lacks; keys are days since 1970.

    Parameters
    ----------
    days
        What the calendar has before the batch.
    """
    before, lake = batch.before[DIM_DATE.name], batch.place.lake
    new = lacking(days, years)
    if not new:
        return unchanged(before)
    lake.ensure(DIM_DATE)
    head = batch.head(DIM_DATE)
    if not head.of_batch(batch.number):
        rows = with_hash(calendar.build(batch.place.spark, new), DIM_DATE).withColumn("batch_id", F.lit(batch.number))
        lake.append(DIM_DATE, rows.coalesce(1).sortWithinPartitions("date_id"), batch.number, {"years": new}, head)
    commit, files = batch.commit_of(DIM_DATE)
    keys = [day for year in new for day in range(days_of(year)[0], days_of(year)[1] + 1)]
    is_empty = before.highest_key < before.lowest_key
    return replace(
        unchanged(before),
        snapshot_id=commit.snapshot_id,
        files=files,
        inserted=len(keys),
        current_keys=before.current_keys + len(keys),
        key_checksum=before.key_checksum + sum(map(mix, keys)),
        lowest_key=keys[0] if is_empty else min(before.lowest_key, keys[0]),
        highest_key=keys[-1] if is_empty else max(before.highest_key, keys[-1]),
    )
