"""``dim_payment_type``."""

from collections.abc import Mapping

from pyspark.sql import DataFrame


def build(sources: Mapping[str, DataFrame]) -> DataFrame:
    """Kinds of payment are taken as they are."""
    return sources["payment_type"]
