"""``dim_staff``."""

from collections.abc import Mapping

from pyspark.sql import DataFrame


def build(sources: Mapping[str, DataFrame]) -> DataFrame:
    """Give every employee the name and town of the department."""
    departments = sources["department"].select("department_id", "department_name", "location")
    return sources["staff"].join(departments, "department_id", "left")
