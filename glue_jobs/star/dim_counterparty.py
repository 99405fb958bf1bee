"""``dim_counterparty``."""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_LEGAL = {
    "address_line_1": "counterparty_legal_address_line_1",
    "address_line_2": "counterparty_legal_address_line_2",
    "district": "counterparty_legal_district",
    "city": "counterparty_legal_city",
    "postal_code": "counterparty_legal_postal_code",
    "country": "counterparty_legal_country",
    "phone": "counterparty_legal_phone_number",
}


def build(sources: Mapping[str, DataFrame]) -> DataFrame:
    """Give every counterparty its legal address."""
    addresses = sources["address"].select(
        F.col("address_id").alias("legal_address_id"), *[F.col(name).alias(legal) for name, legal in _LEGAL.items()]
    )
    return sources["counterparty"].join(addresses, "legal_address_id", "left")
