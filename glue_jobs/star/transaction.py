"""``dim_transaction``."""

from collections.abc import Mapping

from pyspark.sql import DataFrame


def build(sources: Mapping[str, DataFrame]) -> DataFrame:
    """Transactions are taken as they are."""
    return sources["transaction"]
