"""The load function: what it is told, and what it may do."""

import aws_cdk as cdk
from constructs import Construct

from cdk_app.database_secret import DatabaseSecret
from cdk_app.dead_letters import DeadLetters
from cdk_app.network import place
from cdk_app.platform_key import allow_key
from cdk_app.policy import NUMBERED, allow
from cdk_app.python_function import PythonFunction
from cdk_app.settings import Settings
from cdk_app.storage_stack import StorageStack
from contracts.protocol.catalog import STAR_PREFIX
from contracts.protocol.object_layout import (
    HINT_PREFIX,
    LISTING_PREFIX,
    LOAD_PREFIX,
    MANIFEST_PREFIX,
    PUBLICATION_PREFIX,
    hint_key,
)


class LoadFunction(PythonFunction):
    """Reads the lake and writes the warehouse; of the buckets it may write the notes of what was loaded, nothing else."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        storage: StorageStack,
        warehouse: DatabaseSecret,
        dead_letters: DeadLetters,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            name="load",
            settings=settings,
            key=storage.data_key,
            timeout=cdk.Duration.minutes(15),
            memory_mb=1024,
            environment={
                "INGESTION_BUCKET": storage.ingestion.bucket_name,
                "PROCESSED_BUCKET": storage.processed.bucket_name,
                "WAREHOUSE_SECRET": warehouse.secret.secret_arn,
                "WAREHOUSE_SCHEMA": settings.warehouse_schema,
                "LEDGER_SCHEMA": settings.ledger_schema or "",
                "WAREHOUSE_PURCHASE_ORDERS": settings.warehouse_purchase_orders,
                "WAREHOUSE_TLS": settings.warehouse_tls,
                "LOAD_SECONDS": str(settings.load_seconds),
            },
        )
        self.keep_failed_events(dead_letters, attempts=0, age=cdk.Duration.minutes(16))
        place(self.function, self.role, self.arn, settings)
        warehouse.allow_reading(self.role)
        allow_key(self.role, storage.data_key, s3=["kms:Decrypt", "kms:GenerateDataKey"])
        allow(self.role, ["s3:ListBucket"], [self.bucket("ingestion"), self.bucket("processed")])
        allow(
            self.role,
            ["s3:GetObject"],
            [
                *[self.bucket("ingestion", f"{prefix}*") for prefix in (MANIFEST_PREFIX, HINT_PREFIX)],
                *[
                    self.bucket("processed", f"{prefix}*")
                    for prefix in (PUBLICATION_PREFIX, LISTING_PREFIX, HINT_PREFIX)
                ],
            ],
            wildcard=NUMBERED,
        )
        allow(
            self.role,
            ["s3:PutObject"],
            [self.bucket("processed", f"{LOAD_PREFIX}*"), self.bucket("processed", hint_key(LOAD_PREFIX))],
            wildcard="Notes of what the warehouse shows are numbered.",
        )
        allow(
            self.role,
            ["s3:GetObject"],
            [self.bucket("processed", f"{STAR_PREFIX}*")],
            wildcard="Data files of the lake, named by publications and listings.",
        )
