"""Who is told when something fails or data grows stale."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
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
        self._settings = settings
        self.topic = self._topic(storage.key)
        errors: dict[str, Any] = {"statistic": "Sum", "period": _PERIOD}
        machine = pipeline.publish.machine
        self._alarm("extract-failed", "The extract function failed.", pipeline.extract.function.metric_errors(**errors))
        self._alarm("load-failed", "The load function failed.", pipeline.load.function.metric_errors(**errors))
        self._alarm("publish-failed", "An execution of the state machine failed.", machine.metric_failed(**errors))
        self._alarm("publish-timed-out", "An execution timed out.", machine.metric_timed_out(**errors))
        self._alarms_on_data()
        cdk.CfnOutput(self, "TopicArn", value=self.topic.topic_arn)

    def _topic(self, key: kms.IKey) -> sns.Topic:
        settings = self._settings
        topic = sns.Topic(
            self,
            "Topic",
            topic_name=f"{settings.prefix}-alarms",
            display_name="totesys data platform",
            master_key=key,
            enforce_ssl=settings.enforce_tls,
        )
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Alarms",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        for address in settings.alarm_email:
            topic.add_subscription(subscriptions.EmailSubscription(address))
        for number in settings.alarm_phone:
            topic.add_subscription(subscriptions.SmsSubscription(number))
        return topic

    def _alarms_on_data(self) -> None:
        """Alarms on what the functions measure, and not only on whether they fail."""
        settings = self._settings
        self._alarm(
            "not-fresh",
            f"A batch is older than {settings.freshness_minutes} minutes and no load has confirmed that the warehouse shows it.",
            self._metric(
                OLDEST_UNLOADED_BATCH_AGE, "extract", "Maximum", cdk.Duration.minutes(max(5, settings.extract_minutes))
            ),
            threshold=settings.freshness_minutes * 60,
        )
        self._alarm(
            "source-not-checked",
            "No extraction has ended well for 30 minutes.",
            self._metric(SOURCE_CHECKED, "extract", "Sum"),
            threshold=1,
            operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            periods=6,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )
        self._alarm(
            "rows-quarantined",
            "Rows of the source fail a check and are quarantined.",
            self._metric(ROWS_QUARANTINED, "load", "Maximum"),
            missing=cloudwatch.TreatMissingData.IGNORE,
        )

    def _metric(self, name: str, function: str, statistic: str, period: cdk.Duration = _PERIOD) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=name,
            dimensions_map={"service": f"{self._settings.prefix}-{function}"},
            statistic=statistic,
            period=period,
        )

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
            alarm_name=f"{self._settings.prefix}-{name}",
            alarm_description=f"{description} What to do: docs/runbooks/{name}.md",
            metric=metric,
            threshold=threshold,
            comparison_operator=operator,
            evaluation_periods=periods,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))
