"""The load function's environment, read once into a validated model."""

from pydantic_settings import BaseSettings, SettingsConfigDict

from lambdas.postgres import TlsMode


class LoadSettings(BaseSettings):
    """Settings of the load.

    Attributes
    ----------
    ingestion_bucket, processed_bucket
        Bucket names.
    warehouse_secret
        ARN of the secret with the warehouse's connection details.
    warehouse_schema, ledger_schema
        Schema of the star tables and views; schema of the ledger.
    warehouse_tls
        How the warehouse's identity is checked.
    """

    model_config = SettingsConfigDict(frozen=True)

    ingestion_bucket: str
    processed_bucket: str
    warehouse_secret: str
    warehouse_schema: str = "public"
    ledger_schema: str = "etl"
    warehouse_tls: TlsMode = TlsMode.VERIFY_FULL
