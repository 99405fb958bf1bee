"""``dim_date``: whole years, so that the calendar grows with the facts and never by a fixed span."""

from collections.abc import Iterable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


def build(spark: SparkSession, years: Iterable[int]) -> DataFrame:
    """Build every day of `years`.

    Returns
    -------
    DataFrame
        The columns of ``dim_date``: 365 or 366 rows a year.
    """
    frame = spark.createDataFrame([(year,) for year in sorted(set(years))], "first int")
    days = frame.select(
        F.explode(
            F.sequence(F.make_date("first", F.lit(1), F.lit(1)), F.make_date("first", F.lit(12), F.lit(31)))
        ).alias("date_id")
    )
    return days.select(
        "date_id",
        F.year("date_id").alias("year"),
        F.month("date_id").alias("month"),
        F.dayofmonth("date_id").alias("day"),
        (F.weekday("date_id") + 1).alias("day_of_week"),
        F.date_format("date_id", "EEEE").alias("day_name"),
        F.date_format("date_id", "MMMM").alias("month_name"),
        F.quarter("date_id").alias("quarter"),
    )
