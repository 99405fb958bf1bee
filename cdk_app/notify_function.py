"""The notify function: what it is told, and what it may do."""

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from cdk_app.dead_letters import DeadLetters
from cdk_app.platform_key import allow_key
from cdk_app.policy import allow
from cdk_app.python_function import PythonFunction
from cdk_app.settings import Settings
from cdk_app.storage_stack import StorageStack
from contracts.alarms import BACKSTOP, Alarm
from contracts.protocol.object_layout import HINT_PREFIX, NOTICE_PREFIX, hint_key

#: For how long EventBridge tries to hand an alarm's change over.
_RULE_AGE = cdk.Duration.hours(1)


class NotifyFunction(PythonFunction):
    """Tells people of failures, once each; of the buckets it may write what it told, nothing else."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        storage: StorageStack,
        topic_arn: str,
        dead_letters: DeadLetters,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            name="notify",
            settings=settings,
            key=storage.data_key,
            timeout=cdk.Duration.minutes(1),
            memory_mb=256,
            environment={
                "DEPLOYMENT": settings.prefix,
                "PROCESSED_BUCKET": storage.processed.bucket_name,
                "TOPIC_ARN": topic_arn,
                "RUNBOOKS": settings.runbooks,
            },
        )
        self.keep_failed_events(dead_letters, attempts=2, age=cdk.Duration.hours(1))
        allow(self.role, ["s3:ListBucket"], [self.bucket("processed")])
        allow(
            self.role,
            ["s3:GetObject"],
            [self.bucket("processed", f"{prefix}*") for prefix in (NOTICE_PREFIX, HINT_PREFIX)],
            wildcard="What people were told is numbered; the hints say where publications, loads and it end.",
        )
        allow(
            self.role,
            ["s3:PutObject"],
            [self.bucket("processed", f"{NOTICE_PREFIX}*"), self.bucket("processed", hint_key(NOTICE_PREFIX))],
            wildcard="What people were told is numbered.",
        )
        allow(self.role, ["sns:Publish"], [topic_arn])
        allow_key(self.role, storage.data_key, s3=["kms:Decrypt", "kms:GenerateDataKey"])
        allow_key(self.role, storage.key, sns=["kms:Decrypt", "kms:GenerateDataKey"])
        self._hear_alarms(settings, dead_letters)

    def _hear_alarms(self, settings: Settings, dead_letters: DeadLetters) -> None:
        """Have the function told when one of this deployment's alarms rises or is over; the backstop tells people itself."""
        names = [f"{settings.prefix}-{alarm}" for alarm in Alarm if alarm is not BACKSTOP]
        events.Rule(
            self,
            "AlarmChanged",
            rule_name=f"{settings.prefix}-alarm-changed",
            description="An alarm of the platform rose, or is over",
            event_pattern=events.EventPattern(
                source=["aws.cloudwatch"],
                detail_type=["CloudWatch Alarm State Change"],
                detail={"alarmName": names, "state": {"value": ["ALARM", "OK"]}},
            ),
            targets=[
                targets.LambdaFunction(
                    self.function, dead_letter_queue=dead_letters.queue, retry_attempts=8, max_event_age=_RULE_AGE
                )
            ],
        )
