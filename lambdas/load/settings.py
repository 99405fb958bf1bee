"""The load function's environment, read once into a validated model."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.tables.ledger import ledger_of
from contracts.tls import TlsMode
from lambdas.load.warehouse.limits import Limits
from lambdas.load.warehouse.naming import Naming


class LoadSettings(BaseSettings):
    """Settings of the load.

    Attributes
    ----------
    ingestion_bucket, processed_bucket
        Bucket names.
    warehouse_secret
        ARN of the secret with the warehouse's connection details.
    warehouse_schema, ledger_schema
        Schema of the star tables and views; schema of the ledger, when it is not the one that goes with theirs.
    warehouse_purchase_orders
        What the warehouse calls the table of purchase orders.
    warehouse_tls
        How the warehouse's identity is checked.
    load_seconds
        After how many seconds a load or a rebuild stops where it can; the next one goes on there.
    lock_timeout_seconds
        How long a statement waits for other sessions before it is tried again.
    idle_seconds
        How long the warehouse keeps the transaction of a load that says nothing more: longer than any pause between two
        statements, and as long as the next load waits for one that has died.
    """

    model_config = SettingsConfigDict(frozen=True)

    ingestion_bucket: str
    processed_bucket: str
    warehouse_secret: str
    warehouse_schema: str = Field(default="public", pattern=r"^[^%]+$")  # psycopg would look for a parameter there
    ledger_schema: str = Field(default="", pattern=r"^[^%]*$")
    warehouse_purchase_orders: Literal["fact_purchase_orders", "fact_purchase_order"] = "fact_purchase_orders"
    warehouse_tls: TlsMode = TlsMode.VERIFY_FULL
    load_seconds: int = Field(default=780, ge=1)
    lock_timeout_seconds: int = Field(default=60, ge=1)
    idle_seconds: int = Field(default=120, ge=1)

    @property
    def naming(self) -> Naming:
        """Where the warehouse's tables stand."""
        ledger = self.ledger_schema or ledger_of(self.warehouse_schema)
        return Naming(self.warehouse_schema, ledger, self.warehouse_purchase_orders)

    @property
    def limits(self) -> Limits:
        """How long its transactions wait, and are waited for."""
        return Limits(self.lock_timeout_seconds, self.idle_seconds)
