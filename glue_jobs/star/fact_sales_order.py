"""``fact_sales_order``."""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from glue_jobs.star.conversion import created_and_updated


def build(sources: Mapping[str, DataFrame]) -> DataFrame:
    """Split the timestamps and rename the salesperson."""
    orders = sources["sales_order"]
    return orders.select("*", *created_and_updated(), F.col("staff_id").alias("sales_staff_id"))
