"""From the source to the warehouse: extract, transform, load, and what starts them."""

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from cdk_app.database_secret import DatabaseSecret
from cdk_app.dead_letters import DeadLetters
from cdk_app.extract_function import ExtractFunction
from cdk_app.load_function import LoadFunction
from cdk_app.network import VpcEndpoints
from cdk_app.notify_function import NotifyFunction
from cdk_app.publish_machine import PublishMachine
from cdk_app.removal import removal
from cdk_app.settings import Settings
from cdk_app.storage_stack import StorageStack
from cdk_app.transform_job import TransformJob
from cdk_app.triggers import add_schedule, start_on_batches, triggers


class PipelineStack(cdk.Stack):
    """The functions, the transform job, the state machine, the schedules, and the queue of what could not be delivered.

    Attributes
    ----------
    extract, load, notify
        The functions.
    dead_letters
        The queue.
    publish
        The state machine.
    warehouse_secret
        The secret with the warehouse's connection details.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, storage: StorageStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, construct_id, description="totesys: extract, transform, load", **kwargs)
        source, warehouse = (
            DatabaseSecret(
                self,
                construct_id,
                arn=arn,
                name=f"{settings.prefix}/{construct_id.lower()}",
                key=storage.data_key,
                removal=removal(settings),
            )
            for construct_id, arn in (
                ("Source", settings.source_secret_arn),
                ("Warehouse", settings.warehouse_secret_arn),
            )
        )
        self.warehouse_secret = warehouse.secret
        VpcEndpoints(self, "Endpoints", settings=settings)
        self.topic_arn = f"arn:{self.partition}:sns:{self.region}:{self.account}:{settings.prefix}-alarms"
        self.dead_letters = DeadLetters(self, "DeadLetters", settings=settings, key=storage.key)
        common: dict[str, Any] = {"settings": settings, "storage": storage}
        self.notify = NotifyFunction(self, "Notify", topic_arn=self.topic_arn, dead_letters=self.dead_letters, **common)
        self.extract = ExtractFunction(self, "Extract", source=source, notify=self.notify, **common)
        self.load = LoadFunction(self, "Load", warehouse=warehouse, dead_letters=self.dead_letters, **common)
        job = TransformJob(self, "Transform", settings=settings, storage=storage)
        self.publish = PublishMachine(
            self,
            "Publish",
            settings=settings,
            extract=self.extract.function,
            load=self.load.function,
            notify=self.notify.function,
            job=job,
            key=storage.key,
            topic_arn=self.topic_arn,
        )
        machine = self.publish.machine
        if not settings.publish_minutes:
            start_on_batches(self, settings, storage.ingestion.bucket_name, machine, self.dead_letters.queue)
        for trigger in triggers(settings, self.extract.function.function_arn, machine.state_machine_arn):
            add_schedule(self, settings, trigger, self.dead_letters)
        for name, value in {
            "ExtractFunction": self.extract.function.function_name,
            "LoadFunction": self.load.function.function_name,
            "TransformJob": job.job_name,
            "MaintenanceJob": job.maintenance_name,
            "StateMachine": machine.state_machine_arn,
            "SourceSecret": source.secret.secret_arn,
            "WarehouseSecret": warehouse.secret.secret_arn,
        }.items():
            cdk.CfnOutput(self, name, value=value)
