"""``fact_payment``."""

from collections.abc import Mapping

from pyspark.sql import DataFrame

from glue_jobs.star.conversion import created_and_updated


def build(sources: Mapping[str, DataFrame]) -> DataFrame:
    """Split the timestamps; the account numbers stay behind."""
    return sources["payment"].drop("company_ac_number", "counterparty_ac_number").select("*", *created_and_updated())
