"""Where data rests: four buckets and the platform's key."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk_app.adopted_bucket import adopted_bucket
from cdk_app.compliance import PLAIN_HTTP, acknowledge
from cdk_app.platform_key import platform_key
from cdk_app.removal import removal
from cdk_app.settings import Settings


def bucket_name(stack: cdk.Stack, settings: Settings, name: str) -> str:
    """Return the physical name of the bucket `name`."""
    return settings.bucket(name, stack.account, stack.region)


def bucket_arn(stack: cdk.Stack, settings: Settings, name: str, key: str = "") -> str:
    """Return the ARN of the bucket `name`, or of the objects `key` in it.

    Policies use it rather than a reference, so that they read alike in every stack.
    """
    return f"arn:{stack.partition}:s3:::{bucket_name(stack, settings, name)}{f'/{key}' if key else ''}"


#: Where access logs go. S3 cannot write them to a bucket that a customer's key encrypts.
_ACCESS_LOGS = "access-logs"
#: The buckets whose access is logged.
_LOGGED = ("ingestion", "processed", "athena-results")


class StorageStack(cdk.Stack):
    """The buckets and the key that every other stack uses.

    It guarantees that every bucket is private, encrypted, versioned and logged, refuses plain HTTP,
    and survives the deletion of the stack unless two settings say otherwise. Buckets that are adopted
    have of it what the deployment that made them gave them.

    Attributes
    ----------
    key
        Encrypts alarms and job logs.
    data_key
        The same key, where it encrypts data, secrets and all logs too; None where AWS's own keys do.
    ingestion, processed, results
        Buckets of the CSV log, the lake, and Athena's results.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, **kwargs: Any) -> None:
        super().__init__(scope, construct_id, description="totesys: buckets and key", **kwargs)
        self._settings = settings
        self.key = platform_key(self, settings)
        self.data_key: kms.IKey | None = self.key if settings.has_customer_key else None
        self._access_logs = self._bucket(_ACCESS_LOGS, expire_days=90)
        self.ingestion = self._bucket("ingestion", event_bridge=True)
        self.processed = self._bucket("processed")
        self.results = self._bucket("athena-results", expire_days=30)
        for bucket, name in ((self.ingestion, "IngestionBucket"), (self.processed, "ProcessedBucket")):
            cdk.CfnOutput(self, name, value=bucket.bucket_name)
        cdk.CfnOutput(self, "KeyArn", value=self.key.key_arn)

    def _bucket(self, name: str, *, event_bridge: bool = False, expire_days: int | None = None) -> s3.IBucket:
        return self._adopted(name) if self._settings.adopt else self._made(name, event_bridge, expire_days)

    def _adopted(self, name: str) -> s3.IBucket:
        logged = {f"{other}/": bucket_arn(self, self._settings, other) for other in _LOGGED}
        return adopted_bucket(
            self,
            _construct_id(name),
            name=bucket_name(self, self._settings, name),
            enforce_tls=self._settings.enforce_tls,
            logs_of=logged if name == _ACCESS_LOGS else None,
        )

    def _made(self, name: str, event_bridge: bool, expire_days: int | None) -> s3.Bucket:
        is_log = name == _ACCESS_LOGS
        key = None if is_log else self.data_key
        bucket = s3.Bucket(
            self,
            _construct_id(name),
            bucket_name=bucket_name(self, self._settings, name),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            bucket_key_enabled=True if key else None,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=self._settings.enforce_tls,
            minimum_tls_version=1.2 if self._settings.enforce_tls else None,
            versioned=not is_log,
            removal_policy=removal(self._settings),
            server_access_logs_bucket=None if is_log else self._access_logs,
            server_access_logs_prefix=None if is_log else f"{name}/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="unfinished-and-replaced",
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(1),
                    noncurrent_version_expiration=None if is_log else cdk.Duration.days(30),
                    expiration=cdk.Duration.days(expire_days) if expire_days else None,
                )
            ],
        )
        if event_bridge:
            # event_bridge_enabled=True would add a custom resource with a Lambda of its own; this adds nothing.
            resource = bucket.node.default_child
            assert isinstance(resource, s3.CfnBucket)  # noqa: S101 - narrows the type for the checker
            resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
                event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
            )
        if is_log:
            acknowledge(
                bucket,
                {"AwsSolutions-S1": "This is the bucket that access logs go to; logging itself would never end."},
            )
        if not self._settings.enforce_tls:
            acknowledge(bucket, PLAIN_HTTP)
        return bucket


def _construct_id(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))
