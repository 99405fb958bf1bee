"""From the source to the warehouse: extract, transform, load, and what starts them."""

import json
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from cdk_app.policy import allow
from cdk_app.publish_machine import PublishMachine
from cdk_app.python_function import DatabaseSecret, PythonFunction
from cdk_app.settings import Settings
from cdk_app.storage_stack import StorageStack, bucket_arn
from cdk_app.transform_job import TransformJob
from contracts.protocol.object_layout import LISTING_PREFIX, LOAD_PREFIX, MANIFEST_PREFIX, PUBLICATION_PREFIX

_NUMBERED = "Manifests, publications and listings are numbered; the function reads those that exist."


class PipelineStack(cdk.Stack):
    """The extract and load functions, the transform job, the state machine and the schedules.

    Attributes
    ----------
    extract, load
        The functions.
    publish
        The state machine.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, storage: StorageStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, construct_id, description="totesys: extract, transform, load", **kwargs)
        self._settings = settings
        removal = cdk.RemovalPolicy.RETAIN if settings.keep_data else cdk.RemovalPolicy.DESTROY
        source = DatabaseSecret(self, "Source", name=f"{settings.prefix}/source", removal=removal).secret
        warehouse = DatabaseSecret(self, "Warehouse", name=f"{settings.prefix}/warehouse", removal=removal).secret
        ingestion, processed = storage.ingestion, storage.processed

        self.extract = PythonFunction(
            self,
            "Extract",
            name="extract",
            settings=settings,
            timeout=cdk.Duration.minutes(15),
            memory_mb=512,
            environment={
                "INGESTION_BUCKET": ingestion.bucket_name,
                "PROCESSED_BUCKET": processed.bucket_name,
                "SOURCE_SECRET": source.secret_arn,
                "SOURCE_SCHEMA": settings.source_schema,
                "SOURCE_TLS": settings.source_tls,
                "PART_BYTES": str(settings.part_megabytes * 2**20),
                "TIME_BUDGET_SECONDS": str(settings.extract_seconds),
                "GIVE_WAY_SECONDS": str(settings.give_way_seconds),
                "COMPRESS_PARTS": str(settings.compress_parts).lower(),
            },
        )
        role = self.extract.role
        allow(role, ["secretsmanager:GetSecretValue"], [source.secret_arn])
        allow(role, ["s3:ListBucket"], [self._arn("ingestion"), self._arn("processed")])
        allow(
            role,
            ["s3:GetObject"],
            [self._arn("ingestion", f"{MANIFEST_PREFIX}*"), self._arn("processed", f"{PUBLICATION_PREFIX}*")],
            wildcard=_NUMBERED,
        )
        allow(
            role,
            ["s3:PutObject", "s3:AbortMultipartUpload"],
            [self._arn("ingestion", "*")],
            wildcard="Parts and manifests of every table and batch; the function may write and not delete them.",
        )
        allow(role, ["lambda:InvokeFunction"], [self.extract.arn])  # to go on where it stopped

        self.load = PythonFunction(
            self,
            "Load",
            name="load",
            settings=settings,
            timeout=cdk.Duration.minutes(15),
            memory_mb=1024,
            environment={
                "INGESTION_BUCKET": ingestion.bucket_name,
                "PROCESSED_BUCKET": processed.bucket_name,
                "WAREHOUSE_SECRET": warehouse.secret_arn,
                "WAREHOUSE_SCHEMA": settings.warehouse_schema,
                "LEDGER_SCHEMA": settings.ledger_schema or "",
                "WAREHOUSE_PURCHASE_ORDERS": settings.warehouse_purchase_orders,
                "WAREHOUSE_TLS": settings.warehouse_tls,
            },
        )
        role = self.load.role
        allow(role, ["secretsmanager:GetSecretValue"], [warehouse.secret_arn])
        allow(role, ["s3:ListBucket"], [self._arn("ingestion"), self._arn("processed")])
        allow(
            role,
            ["s3:GetObject"],
            [
                self._arn("ingestion", f"{MANIFEST_PREFIX}*"),
                *[self._arn("processed", f"{prefix}*") for prefix in (PUBLICATION_PREFIX, LISTING_PREFIX)],
            ],
            wildcard=_NUMBERED,
        )
        allow(
            role,
            ["s3:PutObject"],
            [self._arn("processed", f"{LOAD_PREFIX}*")],
            wildcard="Notes of what the warehouse shows are numbered.",
        )
        allow(
            role,
            ["s3:GetObject"],
            [self._arn("processed", "star/*")],
            wildcard="Data files of the lake, named by publications and listings.",
        )

        job = TransformJob(
            self, "Transform", settings=settings, ingestion=ingestion, processed=processed, key=storage.key
        )
        self.topic_arn = f"arn:{self.partition}:sns:{self.region}:{self.account}:{settings.prefix}-alarms"
        self.publish = PublishMachine(
            self,
            "Publish",
            settings=settings,
            extract=self.extract.function,
            load=self.load.function,
            job=job,
            key=storage.key,
            topic_arn=self.topic_arn,
        )
        self._rule(ingestion.bucket_name)
        extract, publish = self.extract.function.function_arn, self.publish.machine.state_machine_arn
        self._schedule("Extract", _every(settings.extract_minutes), "lambda:InvokeFunction", extract)
        self._schedule(
            "Keys", f"cron(0 {settings.key_lists_hour} * * ? *)", "lambda:InvokeFunction", extract, keys="all"
        )
        self._schedule("Heal", _every(settings.heal_minutes), "states:StartExecution", publish)
        sunday = f"cron(0 {settings.maintenance_hour} ? * SUN *)"
        self._schedule("Maintain", sunday, "states:StartExecution", publish, mode="maintain")
        for name, value in {
            "ExtractFunction": self.extract.function.function_name,
            "LoadFunction": self.load.function.function_name,
            "TransformJob": job.job_name,
            "UpkeepJob": job.upkeep_name,
            "StateMachine": self.publish.machine.state_machine_arn,
            "SourceSecret": source.secret_arn,
            "WarehouseSecret": warehouse.secret_arn,
        }.items():
            cdk.CfnOutput(self, name, value=value)

    def _arn(self, bucket: str, key: str = "") -> str:
        return bucket_arn(self, self._settings, bucket, key)

    def _rule(self, bucket: str) -> None:
        role = iam.Role(
            self,
            "RuleRole",
            role_name=f"{self._settings.prefix}-publish-rule",
            assumed_by=iam.ServicePrincipal("events.amazonaws.com"),
        )
        events.Rule(
            self,
            "BatchCommitted",
            rule_name=f"{self._settings.prefix}-batch-committed",
            description="A batch manifest was written",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": MANIFEST_PREFIX}]}},
            ),
            targets=[targets.SfnStateMachine(self.publish.machine, role=role, retry_attempts=8)],
        )

    def _schedule(self, construct_id: str, expression: str, action: str, target_arn: str, **request: str) -> None:
        name = f"{self._settings.prefix}-{construct_id.lower()}"
        role = iam.Role(
            self,
            f"{construct_id}ScheduleRole",
            role_name=f"{name}-schedule",
            assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"),
        )
        allow(role, [action], [target_arn])
        schedule = scheduler.CfnSchedule(
            self,
            f"{construct_id}Schedule",
            name=name,
            description=f"totesys: {construct_id.lower()}",
            schedule_expression=expression,
            state="ENABLED" if self._settings.schedules_enabled else "DISABLED",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=target_arn, role_arn=role.role_arn, input=json.dumps({"trigger": "schedule", **request})
            ),
        )
        schedule.node.add_dependency(role)
        cdk.CfnOutput(self, f"{construct_id}ScheduleName", value=name)


def _every(minutes: int) -> str:
    return f"rate({minutes} {'minute' if minutes == 1 else 'minutes'})"
