"""``dim_currency``."""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.tables.currencies import CURRENCY_NAMES


def build(sources: Mapping[str, DataFrame]) -> DataFrame:
    """Give every currency its ISO 4217 name; rows with an unknown code are quarantined before."""
    names = F.create_map(*[F.lit(text) for pair in CURRENCY_NAMES.items() for text in pair])
    return sources["currency"].withColumn("currency_name", names[F.col("currency_code")])
