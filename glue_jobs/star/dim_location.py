"""``dim_location``."""

from collections.abc import Mapping

from pyspark.sql import DataFrame


def build(sources: Mapping[str, DataFrame]) -> DataFrame:
    """Call an address a location."""
    return sources["address"].withColumnRenamed("address_id", "location_id")
