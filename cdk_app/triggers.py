"""What starts the functions and the state machine: schedules, and the rule on committed batches."""

import json
from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk_app.dead_letters import DeadLetters
from cdk_app.policy import allow
from cdk_app.settings import Settings
from contracts.protocol.object_layout import MANIFEST_PREFIX
from contracts.protocol.steps import MODE, SCHEDULE, TRIGGER, ExtractEvent, Mode
from contracts.protocol.strict_json import plain

_INVOKE, _START = "lambda:InvokeFunction", "states:StartExecution"
#: What starts the state machine when batches are published together: no event does it, so nothing is left to one.
_WINDOW = "window"
#: For how many minutes AWS tries to start what comes once a day or once a week; what comes more often comes again.
_RARE_MINUTES = 360


@dataclass(frozen=True, slots=True)
class Trigger:
    """A schedule and what it starts.

    Attributes
    ----------
    name
        Its name in the template and, in lower case, in AWS.
    expression
        When, in UTC.
    action, target_arn
        What its role may do, and to what.
    request
        What the target is asked for.
    patience_minutes
        For how long AWS tries to start it; then the event goes to the dead-letter queue.
    """

    name: str
    expression: str
    action: str
    target_arn: str
    request: dict[str, Any]
    patience_minutes: int


def triggers(settings: Settings, extract_arn: str, publish_arn: str) -> list[Trigger]:
    """Return every schedule of the platform."""
    sunday = f"cron(0 {settings.maintenance_hour} ? * SUN *)"
    key_lists = f"cron(0 {settings.key_lists_hour} * * ? *)"
    extract_every, publish_every, by = settings.extract_minutes, settings.recovery_minutes, SCHEDULE
    if settings.publish_minutes:  # one run takes all that was committed since the one before, and what that one left
        publish_every, by = settings.publish_minutes, _WINDOW
    asked, everything = plain(ExtractEvent(SCHEDULE)), plain(ExtractEvent(SCHEDULE, keys="all"))
    maintain = {TRIGGER: SCHEDULE, MODE: Mode.MAINTAIN.value}
    return [
        Trigger("Extract", _every(extract_every), _INVOKE, extract_arn, asked, extract_every),
        Trigger("Keys", key_lists, _INVOKE, extract_arn, everything, _RARE_MINUTES),
        Trigger("Recover", _every(publish_every), _START, publish_arn, {TRIGGER: by}, publish_every),
        Trigger("Maintain", sunday, _START, publish_arn, maintain, _RARE_MINUTES),
    ]


def add_schedule(scope: Construct, settings: Settings, trigger: Trigger, dead_letters: DeadLetters) -> None:
    """Add a schedule with a role that may do its one thing, or keep the event where it cannot."""
    name = f"{settings.prefix}-{trigger.name.lower()}"
    role = iam.Role(
        scope,
        f"{trigger.name}ScheduleRole",
        role_name=f"{name}-schedule",
        assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"),
    )
    allow(role, [trigger.action], [trigger.target_arn])
    dead_letters.accept_from(role)
    schedule = scheduler.CfnSchedule(
        scope,
        f"{trigger.name}Schedule",
        name=name,
        description=f"totesys: {trigger.name.lower()}",
        schedule_expression=trigger.expression,
        state="ENABLED" if settings.schedules_enabled else "DISABLED",
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
        target=scheduler.CfnSchedule.TargetProperty(
            arn=trigger.target_arn,
            role_arn=role.role_arn,
            input=json.dumps(trigger.request),
            dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=dead_letters.queue.queue_arn),
            retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                maximum_event_age_in_seconds=60 * trigger.patience_minutes, maximum_retry_attempts=20
            ),
        ),
    )
    schedule.node.add_dependency(role)
    cdk.CfnOutput(scope, f"{trigger.name}ScheduleName", value=name)


def start_on_batches(
    scope: Construct, settings: Settings, bucket: str, machine: sfn.IStateMachine, dead_letters: sqs.IQueue
) -> None:
    """Start the state machine whenever a manifest is written to the ingestion bucket; the schedule makes up for a lost event."""
    role = iam.Role(
        scope,
        "RuleRole",
        role_name=f"{settings.prefix}-publish-rule",
        assumed_by=iam.ServicePrincipal("events.amazonaws.com"),
    )
    events.Rule(
        scope,
        "BatchCommitted",
        rule_name=f"{settings.prefix}-batch-committed",
        description="A batch manifest was written",
        event_pattern=events.EventPattern(
            source=["aws.s3"],
            detail_type=["Object Created"],
            detail={"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": MANIFEST_PREFIX}]}},
        ),
        targets=[
            targets.SfnStateMachine(
                machine,
                role=role,
                retry_attempts=8,
                max_event_age=cdk.Duration.hours(1),
                dead_letter_queue=dead_letters,
            )
        ],
    )


def _every(minutes: int) -> str:
    return f"rate({minutes} {'minute' if minutes == 1 else 'minutes'})"
