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
from contracts.alarms import BACKSTOP, Alarm
from contracts.metrics import NAMESPACE, OLDEST_UNLOADED_BATCH_AGE, ROWS_QUARANTINED, SOURCE_CHECKED

_MINUTES = 5
_PERIOD = cdk.Duration.minutes(_MINUTES)
#: For how long, at least, nothing must have failed before an alarm on failures is over: what fails by turns is one failure.
_CALM_MINUTES = 30


class AlertingStack(cdk.Stack):
    """One topic, its subscribers, and one alarm for each way of failing.

    An alarm starts the notify function, which knows what people have been told. The topic itself is told by one alarm only: that
    events were not delivered, to that function or another one.

    Attributes
    ----------
    topic
        Where people are told.
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
        extracts, executions = _calm(settings.extract_minutes), _calm(settings.recovery_minutes)
        for alarm, description, metric, calm in (
            (Alarm.EXTRACT_FAILED, "The extract function", pipeline.extract.function.metric_errors(**errors), extracts),
            (Alarm.LOAD_FAILED, "The load function", pipeline.load.function.metric_errors(**errors), executions),
            (Alarm.PUBLISH_FAILED, "An execution of the state machine", machine.metric_failed(**errors), executions),
        ):
            self._alarm(alarm, f"{description} failed within {calm * _MINUTES} minutes.", metric, periods=calm)
        timed_out = machine.metric_timed_out(**errors)
        self._alarm(Alarm.PUBLISH_TIMED_OUT, "An execution timed out.", timed_out, periods=executions)
        self._alarms_on_data()
        self._backstop(pipeline)
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
            Alarm.NOT_FRESH,
            f"A batch is older than {settings.freshness_minutes} minutes and no load has confirmed that the warehouse shows it.",
            self._metric(
                OLDEST_UNLOADED_BATCH_AGE, "extract", "Maximum", cdk.Duration.minutes(max(5, settings.extract_minutes))
            ),
            threshold=settings.freshness_minutes * 60,
            periods=3,  # an extraction that ends a little late leaves a period without a datum
        )
        unchecked = _unchecked(settings.extract_minutes)
        self._alarm(
            Alarm.SOURCE_NOT_CHECKED,
            f"No extraction has ended well for {unchecked * _MINUTES} minutes.",
            self._metric(SOURCE_CHECKED, "extract", "Sum"),
            threshold=1,
            operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            periods=unchecked,
            breaching=unchecked,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )
        self._alarm(
            Alarm.ROWS_QUARANTINED,
            "Rows of the source fail a check and are quarantined.",
            self._metric(ROWS_QUARANTINED, "load", "Maximum"),
            missing=cloudwatch.TreatMissingData.IGNORE,
        )

    def _backstop(self, pipeline: PipelineStack) -> None:
        """Tell the topic when there is an event that could not be delivered, also to the function that tells people."""
        visible = pipeline.dead_letters.queue.metric_approximate_number_of_messages_visible(
            statistic="Maximum", period=_PERIOD
        )
        alarm = self._alarm(BACKSTOP, "AWS could not deliver an event, or a function could not take it.", visible)
        alarm.add_alarm_action(actions.SnsAction(self.topic))

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
        name: Alarm,
        description: str,
        metric: cloudwatch.IMetric,
        *,
        threshold: float = 0,
        operator: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        periods: int = 1,
        breaching: int = 1,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> cloudwatch.Alarm:
        """Add an alarm; it is up when at least `breaching` of the last `periods` are beyond the threshold."""
        return cloudwatch.Alarm(
            self,
            "".join(word.capitalize() for word in name.split("-")),
            alarm_name=f"{self._settings.prefix}-{name}",
            alarm_description=f"{description} What to do: {self._settings.runbooks}{name}.md",
            metric=metric,
            threshold=threshold,
            comparison_operator=operator,
            evaluation_periods=periods,
            datapoints_to_alarm=breaching,
            treat_missing_data=missing,
        )


def _calm(minutes: int) -> int:
    """Return for how many periods nothing must have failed, of what is tried every `minutes`."""
    return max(_CALM_MINUTES, 2 * minutes) // _MINUTES


def _unchecked(minutes: int) -> int:
    """Return after how many periods an extraction is missed: two did not come, and one takes its 15 minutes."""
    return max(_CALM_MINUTES, 2 * minutes + 15) // _MINUTES
