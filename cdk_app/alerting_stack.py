"""Who is told when something fails or data grows stale."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from cdk_app.pipeline_stack import PipelineStack
from cdk_app.settings import Settings
from cdk_app.storage_stack import StorageStack
from contracts.metrics import NAMESPACE, OLDEST_UNLOADED_BATCH_AGE, ROWS_QUARANTINED, SOURCE_CHECKED

_PERIOD = cdk.Duration.minutes(5)


class AlertingStack(cdk.Stack):
    """One topic, its subscribers, and one alarm for each way of failing.

    Attributes
    ----------
    topic
        Where every alarm and every failed execution is told.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        storage: StorageStack,
        pipeline: PipelineStack,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, description="totesys: alarms", **kwargs)
        self._prefix = settings.prefix
        self.topic = sns.Topic(
            self,
            "Topic",
            topic_name=f"{settings.prefix}-alarms",
            display_name="totesys data platform",
            master_key=storage.key,
            enforce_ssl=settings.enforce_tls,
        )
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Alarms",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        if settings.alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(settings.alarm_email))
        if settings.alarm_phone:
            self.topic.add_subscription(subscriptions.SmsSubscription(settings.alarm_phone))
        service = f"{settings.prefix}-load"
        unconfirmed = cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=OLDEST_UNLOADED_BATCH_AGE,
            dimensions_map={"service": f"{settings.prefix}-extract"},
            statistic="Maximum",
            period=cdk.Duration.minutes(max(5, settings.extract_minutes)),
        )
        checked = cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=SOURCE_CHECKED,
            dimensions_map={"service": f"{settings.prefix}-extract"},
            statistic="Sum",
            period=_PERIOD,
        )
        quarantined = cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=ROWS_QUARANTINED,
            dimensions_map={"service": service},
            statistic="Maximum",
            period=_PERIOD,
        )
        errors: dict[str, Any] = {"statistic": "Sum", "period": _PERIOD}
        machine = pipeline.publish.machine
        self._alarm("extract-failed", "The extract function failed.", pipeline.extract.function.metric_errors(**errors))
        self._alarm("load-failed", "The load function failed.", pipeline.load.function.metric_errors(**errors))
        self._alarm("publish-failed", "An execution of the state machine failed.", machine.metric_failed(**errors))
        self._alarm("publish-timed-out", "An execution timed out.", machine.metric_timed_out(**errors))
        self._alarm(
            "not-fresh",
            f"A batch is older than {settings.freshness_minutes} minutes and no load has confirmed that the warehouse shows it.",
            unconfirmed,
            threshold=settings.freshness_minutes * 60,
        )
        self._alarm(
            "source-not-checked",
            "No extraction has ended well for 30 minutes.",
            checked,
            threshold=1,
            operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            periods=6,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )
        self._alarm(
            "rows-quarantined",
            "Rows of the source cannot be shown and are held back.",
            quarantined,
            missing=cloudwatch.TreatMissingData.IGNORE,
        )
        cdk.CfnOutput(self, "TopicArn", value=self.topic.topic_arn)

    def _alarm(
        self,
        name: str,
        description: str,
        metric: cloudwatch.IMetric,
        *,
        threshold: float = 0,
        operator: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        periods: int = 1,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            "".join(word.capitalize() for word in name.split("-")),
            alarm_name=f"{self._prefix}-{name}",
            alarm_description=f"{description} What to do: docs/runbooks/{name}.md",
            metric=metric,
            threshold=threshold,
            comparison_operator=operator,
            evaluation_periods=periods,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))
