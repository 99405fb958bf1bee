"""The Glue job that brings batches into the lake."""

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from cdk_app.bundling import ROOT, job_library
from cdk_app.log_group import log_group
from cdk_app.policy import allow
from cdk_app.settings import GLUE_VERSION, Settings
from cdk_app.storage_stack import StorageStack, bucket_arn
from contracts.protocol.catalog import CATALOG, REPLAY_PREFIX, STAR_PREFIX, location
from contracts.protocol.object_layout import LISTING_PREFIX, PUBLICATION_PREFIX, hint_key
from contracts.protocol.steps import JobMode

#: Longest a run may take; one batch takes far less, a first load of millions of rows most.
TIMEOUT_MINUTES = 60


class TransformJob(Construct):
    """Job ``transform``: one run at a time, further ones queue; and job ``maintenance``, the same script for its other modes.

    Maintenance is a job of its own so that no batch waits for a compaction or a replay. It runs on spare capacity (Flex): a third
    cheaper, may begin up to 20 minutes later, and may lose its workers on the way; everything that it does can be repeated.

    Attributes
    ----------
    job_name, job_arn, maintenance_name, maintenance_arn
        The jobs as deployed.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, storage: StorageStack) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        stack = cdk.Stack.of(self)
        self.job_name, self.maintenance_name = f"{settings.prefix}-transform", f"{settings.prefix}-maintenance"
        jobs = f"arn:{stack.partition}:glue:{stack.region}:{stack.account}:job"
        self.job_arn, self.maintenance_arn = f"{jobs}/{self.job_name}", f"{jobs}/{self.maintenance_name}"
        self._script = assets.Asset(self, "Script", path=str(ROOT / "glue_jobs" / "transform.py"))
        self._library = assets.Asset(self, "Library", path=str(job_library()))
        self.role = self._role(storage.key)
        self._security = self._encrypted_with(storage.key)
        self._log_groups(storage.key)
        arguments = self._arguments(storage)
        self._job("Job", self.job_name, "totesys: CSV batches into the lake's star tables", arguments, "STANDARD")
        self._job(
            "Maintenance",
            self.maintenance_name,
            "totesys: compact, expire and list the lake's files, or replay batches beside it",
            {**arguments, "--mode": JobMode.MAINTAIN.value, "--keep_days": str(settings.snapshot_days)},
            "FLEX",
        )

    def _encrypted_with(self, key: kms.IKey) -> glue.CfnSecurityConfiguration:
        return glue.CfnSecurityConfiguration(
            self,
            "Security",
            name=self.job_name,
            encryption_configuration=glue.CfnSecurityConfiguration.EncryptionConfigurationProperty(
                cloud_watch_encryption=glue.CfnSecurityConfiguration.CloudWatchEncryptionProperty(
                    cloud_watch_encryption_mode="SSE-KMS", kms_key_arn=key.key_arn
                ),
                job_bookmarks_encryption=glue.CfnSecurityConfiguration.JobBookmarksEncryptionProperty(
                    job_bookmarks_encryption_mode="CSE-KMS", kms_key_arn=key.key_arn
                ),
                s3_encryptions=[
                    glue.CfnSecurityConfiguration.S3EncryptionProperty(
                        s3_encryption_mode="SSE-KMS" if self._settings.has_customer_key else "SSE-S3",
                        kms_key_arn=key.key_arn if self._settings.has_customer_key else None,
                    )
                ],
            ),
        )

    def _log_groups(self, key: kms.IKey) -> None:
        """Make the log groups before Glue does, which would keep them for ever.

        From Glue 5.0 on, jobs with an encrypting security configuration write to groups of these names.
        """
        for stream in ("error", "output"):
            name = f"/aws-glue/jobs/{self.job_name}-role/{self.job_name}-job/{stream}"
            log_group(self, f"{stream.capitalize()}Logs", name=name, settings=self._settings, key=key)

    def _arguments(self, storage: StorageStack) -> dict[str, str]:
        spark = {
            "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
            f"spark.sql.catalog.{CATALOG}": "org.apache.iceberg.spark.SparkCatalog",
            f"spark.sql.catalog.{CATALOG}.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
            f"spark.sql.catalog.{CATALOG}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
            f"spark.sql.catalog.{CATALOG}.warehouse": location(storage.processed.bucket_name),
            "spark.sql.session.timeZone": "UTC",
        }
        return {
            "--ingestion_bucket": storage.ingestion.bucket_name,
            "--processed_bucket": storage.processed.bucket_name,
            "--database": self._settings.database,
            "--extra-py-files": self._library.s3_object_url,
            "--datalake-formats": "iceberg",
            "--conf": " --conf ".join(f"{name}={value}" for name, value in spark.items()),
            "--enable-auto-scaling": "true",
            "--job-language": "python",
        }

    def _job(self, construct_id: str, name: str, description: str, arguments: dict[str, str], execution: str) -> None:
        job = glue.CfnJob(
            self,
            construct_id,
            name=name,
            description=description,
            role=self.role.role_arn,
            glue_version=GLUE_VERSION,
            worker_type="G.1X",
            number_of_workers=self._settings.glue_workers,
            timeout=TIMEOUT_MINUTES,
            max_retries=0,
            execution_class=execution,
            execution_property=glue.CfnJob.ExecutionPropertyProperty(max_concurrent_runs=1),
            job_run_queuing_enabled=True,
            security_configuration=self._security.name,
            command=glue.CfnJob.JobCommandProperty(
                name="glueetl", python_version="3", script_location=self._script.s3_object_url
            ),
            default_arguments=arguments,
        )
        job.add_resource_dependency(self._security)

    def _role(self, key: kms.IKey) -> iam.Role:
        role = iam.Role(
            self, "Role", role_name=f"{self.job_name}-job", assumed_by=iam.ServicePrincipal("glue.amazonaws.com")
        )
        own = (self._script, self._library)
        allow(role, ["s3:GetObject"], [f"{asset.bucket.bucket_arn}/{asset.s3_object_key}" for asset in own])
        allow(role, ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn])
        self._allow_buckets(role)
        self._allow_catalog(role)
        self._allow_logs(role)
        return role

    def _allow_buckets(self, role: iam.Role) -> None:
        stack, settings = cdk.Stack.of(self), self._settings
        allow(
            role,
            ["s3:ListBucket", "s3:GetBucketLocation"],
            [bucket_arn(stack, settings, name) for name in ("ingestion", "processed")],
        )
        allow(
            role,
            ["s3:GetObject"],
            [bucket_arn(stack, settings, name, "*") for name in ("ingestion", "processed")],
            wildcard="The job reads every batch and every table of the lake; keys are made at run time.",
        )
        allow(
            role,
            ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            [bucket_arn(stack, settings, "processed", f"{prefix}*") for prefix in (STAR_PREFIX, REPLAY_PREFIX)],
            wildcard="The lake's tables, and those of replays: Iceberg names their files.",
        )
        allow(
            role,
            ["s3:PutObject"],
            [
                bucket_arn(stack, settings, "processed", key)
                for prefix in (PUBLICATION_PREFIX, LISTING_PREFIX)
                for key in (f"{prefix}*", hint_key(prefix))
            ],
            wildcard="Publications and listings are numbered; the job may write and not delete them.",
        )

    def _allow_catalog(self, role: iam.Role) -> None:
        stack, database = cdk.Stack.of(self), self._settings.database
        catalog = f"arn:{stack.partition}:glue:{stack.region}:{stack.account}"
        allow(
            role,
            ["glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:CreateTable", "glue:UpdateTable"],
            [
                f"{catalog}:catalog",
                *[f"{catalog}:database/{name}" for name in (database, f"{database}_replay*")],
                *[f"{catalog}:table/{name}/*" for name in (database, f"{database}_replay*")],
            ],
            wildcard="The tables of the lake's own database and of replays, which the job creates.",
        )
        allow(
            role,
            ["glue:CreateDatabase"],
            [f"{catalog}:catalog", f"{catalog}:database/{database}_replay*"],
            wildcard="Databases of replays, named by who asks for one.",
        )

    def _allow_logs(self, role: iam.Role) -> None:
        stack = cdk.Stack.of(self)
        log_groups = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:/aws-glue/*"
        allow(
            role,
            ["glue:GetSecurityConfiguration"],
            ["*"],
            wildcard="Glue checks its security configuration; the action knows no resources.",
        )
        allow(
            role,
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:AssociateKmsKey"],
            [log_groups],
            wildcard="Glue names its log groups after the security configuration.",
        )
        allow(
            role,
            ["cloudwatch:PutMetricData"],
            ["*"],
            wildcard="The action knows no resources; the condition limits it to Glue's namespace.",
            conditions={"StringEquals": {"cloudwatch:namespace": "Glue"}},
        )
