"""``dim_date`` grows with the facts: by whole years, never by a fixed span."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.checksum import mix
from contracts.protocol.publication import TablePublication
from contracts.tables.star import DIM_DATE
from glue_jobs.commit import commit_once
from glue_jobs.context import Batch, unchanged
from glue_jobs.versions.days import Ranges, days_of, lacking, merged

#: Names as SQL lists them; a function that formats dates takes longer to write one than for all the rest of a row.
_DAYS = "'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'"
_MONTHS = "'January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'"


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
    before = batch.before[DIM_DATE.name]
    new = lacking(days, years)
    if not new:
        return unchanged(before)

    def rows() -> DataFrame:
        return _every_day(batch.context.spark, new).withColumn("batch_id", F.lit(batch.number))

    after = commit_once(batch, DIM_DATE, rows)
    keys = [day for year in new for day in range(days_of(year)[0], days_of(year)[1] + 1)]
    is_empty = before.highest_key < before.lowest_key
    return replace(
        after,
        inserted=len(keys),
        current_keys=before.current_keys + len(keys),
        key_checksum=before.key_checksum + sum(map(mix, keys)),
        lowest_key=keys[0] if is_empty else min(before.lowest_key, keys[0]),
        highest_key=keys[-1] if is_empty else max(before.highest_key, keys[-1]),
    )


def _every_day(spark: SparkSession, years: Sequence[int]) -> DataFrame:
    """Build every day of `years`, which are in order.

    Returns
    -------
    DataFrame
        The columns of ``dim_date`` in one partition, in order: 365 or 366 rows a year.
    """
    # Not a range from the first year to the last one: a mistyped date lies far from the others.
    of_years = spark.range(0, 1, 1, 1).select(F.explode(F.array(*map(F.lit, years))).alias("year"))
    days = of_years.select(
        F.explode(F.expr("sequence(make_date(year, 1, 1), make_date(year, 12, 31))")).alias("date_id")
    )
    return days.select(
        "date_id",
        F.year("date_id").alias("year"),
        F.month("date_id").alias("month"),
        F.dayofmonth("date_id").alias("day"),
        (F.weekday("date_id") + 1).alias("day_of_week"),
        F.expr(f"elt(weekday(date_id) + 1, {_DAYS})").alias("day_name"),
        F.expr(f"elt(month(date_id), {_MONTHS})").alias("month_name"),
        F.quarter("date_id").alias("quarter"),
    )
