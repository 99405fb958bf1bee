"""Where data rests: four buckets and the platform's key."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk_app.compliance import acknowledge
from cdk_app.settings import Settings


def bucket_name(stack: cdk.Stack, settings: Settings, name: str) -> str:
    """Return the physical name of the bucket `name`."""
    return f"{settings.prefix}-{name}-{stack.account}-{stack.region}"


def bucket_arn(stack: cdk.Stack, settings: Settings, name: str, key: str = "") -> str:
    """Return the ARN of the bucket `name`, or of the objects `key` in it.

    Policies use it rather than a reference, so that they read alike in every stack.
    """
    return f"arn:{stack.partition}:s3:::{bucket_name(stack, settings, name)}{f'/{key}' if key else ''}"


class StorageStack(cdk.Stack):
    """The buckets and the key that every other stack uses.

    It guarantees that every bucket is private, encrypted, versioned and logged, refuses plain HTTP,
    and survives the deletion of the stack unless two settings say otherwise.

    Attributes
    ----------
    key
        Encrypts alarms and job logs.
    ingestion, processed, results
        Buckets of the CSV log, the lake, and Athena's results.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, **kwargs: Any) -> None:
        super().__init__(scope, construct_id, description="totesys: buckets and key", **kwargs)
        self._settings = settings
        self._removal = cdk.RemovalPolicy.RETAIN if settings.keep_data else cdk.RemovalPolicy.DESTROY
        self.key = self._key()
        self._access_logs = self._bucket("access-logs", expire_days=90)
        acknowledge(
            self._access_logs,
            {"AwsSolutions-S1": "This is the bucket that access logs go to; logging itself would never end."},
        )
        self.ingestion = self._bucket("ingestion", event_bridge=True)
        self.processed = self._bucket("processed")
        self.results = self._bucket("athena-results", expire_days=30)
        for bucket, name in ((self.ingestion, "IngestionBucket"), (self.processed, "ProcessedBucket")):
            cdk.CfnOutput(self, name, value=bucket.bucket_name)

    def _key(self) -> kms.Key:
        key = kms.Key(
            self,
            "Key",
            alias=f"alias/{self._settings.prefix}",
            description="totesys: alarms and job logs",
            enable_key_rotation=True,
            removal_policy=self._removal,
        )
        for service in ("cloudwatch", "events", f"logs.{self.region}"):
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
                    actions=["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:DescribeKey", "kms:ReEncrypt*"],
                    resources=["*"],
                    conditions={"StringEquals": {"aws:SourceAccount": self.account}}
                    if service != f"logs.{self.region}"
                    else {
                        "ArnLike": {
                            "kms:EncryptionContext:aws:logs:arn": f"arn:{self.partition}:logs:{self.region}:{self.account}:*"
                        }
                    },
                )
            )
        return key

    def _bucket(self, name: str, *, event_bridge: bool = False, expire_days: int | None = None) -> s3.Bucket:
        is_log = name == "access-logs"
        bucket = s3.Bucket(
            self,
            "".join(word.capitalize() for word in name.split("-")),
            bucket_name=bucket_name(self, self._settings, name),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=self._settings.enforce_tls,
            minimum_tls_version=1.2 if self._settings.enforce_tls else None,
            versioned=not is_log,
            removal_policy=self._removal,
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
        if not self._settings.enforce_tls:
            acknowledge(
                bucket, {"AwsSolutions-S10": "Only where AWS is an emulator on this machine: it speaks plain HTTP."}
            )
        return bucket
