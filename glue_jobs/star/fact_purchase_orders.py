"""``fact_purchase_orders``."""

from collections.abc import Mapping

from pyspark.sql import DataFrame

from glue_jobs.star.conversion import created_and_updated


def build(sources: Mapping[str, DataFrame]) -> DataFrame:
    """Split the timestamps."""
    return sources["purchase_order"].select("*", *created_and_updated())
