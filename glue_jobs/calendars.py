"""``dim_date`` grows with the facts."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date

from pyspark.sql import functions as F

from contracts.checksum import mix
from contracts.publication import TablePublication
from contracts.star import DIM_DATE
from glue_jobs.star import calendar
from glue_jobs.star.versions import with_hash
from glue_jobs.workplace import Batch, unchanged

_EPOCH = date(1970, 1, 1).toordinal()


def record(batch: Batch, years: Collection[int]) -> TablePublication:
    """Add the years that the batch's rows refer to and the calendar lacks; keys are days since 1970."""
    before, lake = batch.before[DIM_DATE.name], batch.place.lake
    if _has_all(before, years):
        return unchanged(before)
    lake.ensure(DIM_DATE)
    head = batch.head(DIM_DATE)
    commit = head.of_batch(batch.number)
    if not commit:
        rows = lake.read(DIM_DATE).where(F.col("batch_id") < batch.number).select("year").distinct()
        new = sorted(set(years) - ({row["year"] for row in rows.collect()} if head.snapshot_id else set()))
        if not new:
            return unchanged(before)
        days = with_hash(calendar.build(batch.place.spark, new), DIM_DATE).withColumn("batch_id", F.lit(batch.number))
        lake.append(DIM_DATE, days.coalesce(1).sortWithinPartitions("date_id"), batch.number, {"years": new}, head)
        commit = batch.commit_of(DIM_DATE)[0]
    keys = [day for year in commit.figures["years"] for day in range(_first_day(year), _first_day(year + 1))]
    lowest, highest = min(keys), max(keys)
    is_empty = before.highest_key < before.lowest_key
    return replace(
        unchanged(before),
        snapshot_id=commit.snapshot_id,
        files=lake.files(DIM_DATE, commit.snapshot_id),
        inserted=len(keys),
        current_keys=before.current_keys + len(keys),
        key_checksum=before.key_checksum + sum(map(mix, keys)),
        lowest_key=lowest if is_empty else min(before.lowest_key, lowest),
        highest_key=highest if is_empty else max(before.highest_key, highest),
    )


def _has_all(before: TablePublication, years: Collection[int]) -> bool:
    if not years:
        return True
    return (
        before.is_gapless
        and before.lowest_key <= _first_day(min(years))
        and before.highest_key >= _first_day(max(years) + 1) - 1
    )


def _first_day(year: int) -> int:
    """Return the first of January as days since 1970; of the year after 9999, which Python lacks, too."""
    return (date(9999, 12, 31).toordinal() + 1 if year == 10_000 else date(year, 1, 1).toordinal()) - _EPOCH
