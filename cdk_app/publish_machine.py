"""The state machine ``publish``: survey → transform, when a batch is pending → load; or upkeep, replay, rebuild."""

import json
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk_app.compliance import acknowledge
from cdk_app.policy import allow
from cdk_app.settings import Settings
from cdk_app.transform_job import TransformJob

_LAMBDA_RETRY = {
    "ErrorEquals": [
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
    ],
    "IntervalSeconds": 2,
    "MaxAttempts": 4,
    "BackoffRate": 2,
}
_GLUE_RETRY = {
    "ErrorEquals": [
        "Glue.ConcurrentRunsExceededException",
        "Glue.ThrottlingException",
        "Glue.InternalServiceException",
    ],
    "IntervalSeconds": 20,
    "MaxAttempts": 12,
    "BackoffRate": 1.5,
}


def definition(
    *, extract_arn: str, load_arn: str, job_name: str, upkeep_name: str, topic_arn: str, name: str
) -> dict[str, Any]:
    """Return the state machine in the Amazon States Language.

    What started it does not matter: it looks for itself what is pending, so a duplicate, late or
    out-of-order event finds nothing to do. A failed transform does not keep publications that exist
    from the warehouse; every failure is told to the topic before the execution fails. When the lake shows keys
    that the source has deleted, and no key list has told which, the next extraction is asked for one.

    ``{"mode": "maintain"}`` starts the lake's upkeep instead, ``{"from": 3, "to": 9, "into": "<database>_replay"}`` a replay, and
    ``{"mode": "rebuild"}`` makes the warehouse anew: the job lists the lake's files, the load function copies them, as often
    as its time makes necessary, and what was published meanwhile is loaded afterwards.
    """

    def invoke(
        payload: dict[str, Any], result: str, following: dict[str, Any], function: str = load_arn
    ) -> dict[str, Any]:
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": function, "Payload": payload},
            "ResultSelector": {"result.$": "$.Payload"},
            "ResultPath": result,
            "Retry": [_LAMBDA_RETRY],
            **following,
        }

    def catch(following: str, path: str = "$.error") -> dict[str, Any]:
        return {"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": path, "Next": following}]}

    def upkeep(arguments: dict[str, str], following: str = "Done") -> dict[str, Any]:
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::glue:startJobRun.sync",
            "Parameters": {"JobName": upkeep_name, "Arguments": arguments},
            "ResultPath": None,
            "Retry": [_GLUE_RETRY],
            "Next": following,
            **catch("Tell"),
        }

    return {
        "Comment": "Brings pending batches into the lake and pending publications into the warehouse.",
        "StartAt": "WhatIsAskedFor",
        "States": {
            "WhatIsAskedFor": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.into", "IsPresent": True, "Next": "Replay"},
                    {
                        "And": [
                            {"Variable": "$.mode", "IsPresent": True},
                            {"Variable": "$.mode", "StringEquals": "rebuild"},
                        ],
                        "Next": "ListFiles",
                    },
                    {"Variable": "$.mode", "IsPresent": True, "Next": "Maintain"},
                ],
                "Default": "Survey",
            },
            "Maintain": upkeep({"--mode.$": "$.mode"}),
            "ListFiles": upkeep({"--mode": "list"}, "Rebuild"),
            "Rebuild": invoke({"step": "rebuild"}, "$.rebuild", {"Next": "IsRebuilt", **catch("Tell")}),
            "IsRebuilt": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.rebuild.result.done", "BooleanEquals": True, "Next": "Load"}],
                "Default": "Rebuild",
            },
            "Replay": upkeep(
                {
                    "--mode": "replay",
                    "--from.$": "States.Format('{}', $.from)",
                    "--to.$": "States.Format('{}', $.to)",
                    "--into.$": "$.into",
                }
            ),
            "Survey": invoke({"step": "survey"}, "$.survey", {"Next": "IsABatchPending", **catch("Tell")}),
            "IsABatchPending": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.survey.result.untransformed", "NumericGreaterThan": 0, "Next": "Transform"}
                ],
                "Default": "Load",
            },
            "Transform": {
                "Type": "Task",
                "Resource": "arn:aws:states:::glue:startJobRun.sync",
                "Parameters": {"JobName": job_name},
                "ResultPath": None,
                "Retry": [_GLUE_RETRY],
                "Next": "Load",
                **catch("LoadWhatIsPublished"),
            },
            "Load": invoke({"step": "load"}, "$.load", {"Next": "AreKeysWanted", **catch("Tell")}),
            "AreKeysWanted": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.load.result.wanted", "NumericGreaterThan": 0, "Next": "AskForKeys"}],
                "Default": "Done",
            },
            "AskForKeys": invoke(
                {"trigger": "reconciliation", "keys.$": "$.load.result.keys_wanted"},
                "$.keys",
                {"Next": "Done", **catch("Tell")},
                extract_arn,
            ),
            "Done": {"Type": "Succeed"},
            "LoadWhatIsPublished": invoke(
                {"step": "load"}, "$.load", {"Next": "Tell", **catch("Tell", "$.load_error")}
            ),
            "Tell": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sns:publish",
                "Parameters": {
                    "TopicArn": topic_arn,
                    "Subject": f"{name} failed",
                    "Message.$": "States.Format('Execution {} failed. {}: {} -- Nothing is lost: the next batch or interval "
                    "tries again. What to do: docs/runbooks/publish-failed.md', $$.Execution.Id, $.error.Error, $.error.Cause)",
                },
                "ResultPath": None,
                "Next": "Failed",
                **catch("Failed", "$.tell_error"),
            },
            "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
        },
    }


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
        job: TransformJob,
        key: kms.IKey,
        topic_arn: str,
    ) -> None:
        super().__init__(scope, construct_id)
        name = f"{settings.prefix}-publish"
        self.role = iam.Role(
            self,
            "Role",
            role_name=f"{name}-machine",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
        )
        for actions, resources in (
            (["lambda:InvokeFunction"], [extract.function_arn, load.function_arn]),
            (
                ["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"],
                [job.job_arn, job.upkeep_arn],
            ),
            (["sns:Publish"], [topic_arn]),
            (["kms:GenerateDataKey", "kms:Decrypt"], [key.key_arn]),
        ):
            allow(self.role, actions, resources)
        acknowledge(
            self.role,
            {
                "AwsSolutions-IAM5[Resource::*]": "Delivery of logs and traces: AWS defines no resources for these actions."
            },
        )
        group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/vendedlogs/states/{name}",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=name,
            comment="totesys: lake and warehouse follow the batches",
            definition_body=sfn.DefinitionBody.from_string(
                json.dumps(
                    definition(
                        extract_arn=extract.function_arn,
                        load_arn=load.function_arn,
                        job_name=job.job_name,
                        upkeep_name=job.upkeep_name,
                        topic_arn=topic_arn,
                        name=name,
                    )
                )
            ),
            role=self.role,
            timeout=cdk.Duration.hours(3),
            tracing_enabled=True,
            logs=sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=False),
        )
