"""The state machine ``publish`` as a resource: what it does is in `cdk_app.publish_definition`."""

import json

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk_app.compliance import acknowledge
from cdk_app.log_group import log_group
from cdk_app.platform_key import allow_key
from cdk_app.policy import allow
from cdk_app.publish_definition import definition
from cdk_app.publish_tasks import Parts
from cdk_app.settings import Settings
from cdk_app.transform_job import TransformJob


class PublishMachine(Construct):
    """The state machine with its role and log group.

    Attributes
    ----------
    machine
        The resource.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        extract: lambda_.IFunction,
        load: lambda_.IFunction,
        notify: lambda_.IFunction,
        job: TransformJob,
        key: kms.IKey,
        topic_arn: str,
    ) -> None:
        super().__init__(scope, construct_id)
        name = f"{settings.prefix}-publish"
        parts = Parts(
            extract_arn=extract.function_arn,
            load_arn=load.function_arn,
            notify_arn=notify.function_arn,
            job_name=job.job_name,
            maintenance_name=job.maintenance_name,
            topic_arn=topic_arn,
            name=name,
        )
        self.role = self._role(name, parts, [job.job_arn, job.maintenance_arn], key)
        group = log_group(
            self,
            "Logs",
            name=f"/aws/vendedlogs/states/{name}",
            settings=settings,
            key=key if settings.has_customer_key else None,
        )
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=name,
            comment="totesys: lake and warehouse follow the batches",
            definition_body=sfn.DefinitionBody.from_string(
                json.dumps(definition(parts)).replace("arn:aws:states:", f"arn:{cdk.Stack.of(self).partition}:states:")
            ),
            role=self.role,
            timeout=cdk.Duration.hours(3),
            tracing_enabled=True,
            logs=sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=False),
        )

    def _role(self, name: str, parts: Parts, jobs: list[str], key: kms.IKey) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            role_name=f"{name}-machine",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
        )
        job_actions = ["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"]
        allow(role, ["lambda:InvokeFunction"], [parts.extract_arn, parts.load_arn, parts.notify_arn])
        allow(role, job_actions, jobs)
        allow(role, ["sns:Publish"], [parts.topic_arn])
        allow_key(role, key, sns=["kms:Decrypt", "kms:GenerateDataKey"])
        acknowledge(
            role,
            {
                "AwsSolutions-IAM5[Resource::*]": "Delivery of logs and traces: AWS defines no resources for these actions."
            },
        )
        return role
