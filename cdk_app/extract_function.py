"""The extract function: what it is told, and what it may do."""

import aws_cdk as cdk
from constructs import Construct

from cdk_app.database_secret import DatabaseSecret
from cdk_app.network import place
from cdk_app.platform_key import allow_key
from cdk_app.policy import NUMBERED, allow
from cdk_app.python_function import PythonFunction
from cdk_app.settings import Settings
from cdk_app.storage_stack import StorageStack
from contracts.protocol.object_layout import HINT_PREFIX, MANIFEST_PREFIX, PUBLICATION_PREFIX


class ExtractFunction(PythonFunction):
    """Reads the source and writes batches; it may write to the ingestion bucket and delete nothing."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        storage: StorageStack,
        source: DatabaseSecret,
        notify: PythonFunction,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            name="extract",
            settings=settings,
            key=storage.data_key,
            timeout=cdk.Duration.minutes(15),
            memory_mb=512,
            reserved=1 if settings.reserve_concurrency else None,
            environment={
                "INGESTION_BUCKET": storage.ingestion.bucket_name,
                "PROCESSED_BUCKET": storage.processed.bucket_name,
                "SOURCE_SECRET": source.secret.secret_arn,
                "SOURCE_SCHEMA": settings.source_schema,
                "SOURCE_TLS": settings.source_tls,
                "PART_BYTES": str(settings.part_megabytes * 2**20),
                "TIME_BUDGET_SECONDS": str(settings.extract_seconds),
                "GIVE_WAY_SECONDS": str(settings.give_way_seconds),
                "COMPRESS_PARTS": str(settings.compress_parts).lower(),
            },
        )
        place(self.function, self.role, self.arn, settings)
        source.allow_reading(self.role)
        allow_key(self.role, storage.data_key, s3=["kms:Decrypt", "kms:GenerateDataKey"])
        allow(self.role, ["s3:ListBucket"], [self.bucket("ingestion"), self.bucket("processed")])
        allow(
            self.role,
            ["s3:GetObject"],
            [
                *[self.bucket("ingestion", f"{prefix}*") for prefix in (MANIFEST_PREFIX, HINT_PREFIX)],
                *[self.bucket("processed", f"{prefix}*") for prefix in (PUBLICATION_PREFIX, HINT_PREFIX)],
            ],
            wildcard=NUMBERED,
        )
        allow(
            self.role,
            ["s3:PutObject", "s3:AbortMultipartUpload"],
            [self.bucket("ingestion", "*")],
            wildcard="Parts and manifests of every table and batch; the function may write and not delete them.",
        )
        allow(self.role, ["lambda:InvokeFunction"], [self.arn])  # to go on where it stopped
        # The schedule comes again: nothing is tried again. An event waits for as long as another extraction may take.
        self.tell_failures_to(notify, attempts=0, age=cdk.Duration.minutes(16))
