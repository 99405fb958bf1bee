"""The extract function's environment, read once into a validated model."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.tls import TlsMode


class ExtractSettings(BaseSettings):
    """Settings of the extraction.

    Attributes
    ----------
    ingestion_bucket, source_secret
        Bucket name; ARN of the secret with the source's connection details.
    processed_bucket
        Name of the bucket in which loads note what they have confirmed.
    source_schema
        Schema of the business tables.
    source_tls
        How the source's identity is checked.
    part_bytes
        Bytes of CSV after which a part is closed and the next begun.
    compress_parts
        Whether parts are ``.csv.gz``; worth it for large sources.
    time_budget_seconds
        After how many seconds of reading a run commits what it has and the next one continues.
    statement_timeout_seconds, lock_timeout_seconds
        How long one statement may run, and wait for a lock, in the source.
    give_way_seconds
        After how many seconds a command that waits for a table that is being read is given way to.
    """

    model_config = SettingsConfigDict(frozen=True)

    ingestion_bucket: str
    processed_bucket: str
    source_secret: str
    source_schema: str = "public"
    source_tls: TlsMode = TlsMode.VERIFY_FULL
    part_bytes: int = Field(default=64 * 2**20, ge=1)
    compress_parts: bool = False
    time_budget_seconds: int = Field(default=780, ge=0)
    statement_timeout_seconds: int = Field(default=840, ge=1)
    lock_timeout_seconds: int = Field(default=10, ge=1)
    give_way_seconds: int = Field(default=2, ge=1)
