"""A Lambda function as this platform builds them."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk_app.bundling import function_bundle
from cdk_app.dead_letters import DeadLetters
from cdk_app.log_group import log_group
from cdk_app.policy import allow
from cdk_app.settings import Settings
from cdk_app.storage_stack import bucket_arn


class PythonFunction(Construct):
    """One function with its log group, its role and nothing else.

    It guarantees that the role allows writing its own logs and what the caller lists, and no more.

    Attributes
    ----------
    function, role
        The resources.
    arn
        The function's ARN, made of names: its own role may refer to it.

    Examples
    --------
    >>> PythonFunction(stack, "Load", name="load", settings=settings, environment={}, timeout=minutes(15), memory_mb=1024, key=None)
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        settings: Settings,
        environment: dict[str, str],
        timeout: cdk.Duration,
        memory_mb: int,
        key: kms.IKey | None,
        reserved: int | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        physical = f"{settings.prefix}-{name}"
        stack = cdk.Stack.of(self)
        self.arn = stack.format_arn(
            service="lambda", resource="function", resource_name=physical, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )
        group = log_group(self, "Logs", name=f"/aws/lambda/{physical}", settings=settings, key=key)
        self.role = iam.Role(
            self, "Role", role_name=f"{physical}-function", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")
        )
        allow(
            self.role,
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [group.log_group_arn],
            wildcard="Streams of the function's own log group; their names are made at run time.",
        )
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=physical,
            description=f"totesys: {name}",
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            handler=f"lambdas.{name}.handler.handler",
            code=lambda_.Code.from_asset(str(function_bundle(name, wheels=settings.lambda_wheels))),
            role=self.role,
            log_group=group,
            timeout=timeout,
            memory_size=memory_mb,
            reserved_concurrent_executions=reserved,
            environment={**environment, "POWERTOOLS_SERVICE_NAME": physical},
        )

    def keep_failed_events(self, dead_letters: DeadLetters, *, attempts: int, age: cdk.Duration) -> None:
        """Keep the events of asynchronous invocations that failed.

        Parameters
        ----------
        attempts
            How often the event is tried again.
        age
            For how long an event may wait until the function takes it.
        """
        self._on_failure(dead_letters.queue.queue_arn, attempts, age)
        dead_letters.accept_from(self.role)

    def tell_failures_to(self, other: "PythonFunction", *, attempts: int, age: cdk.Duration) -> None:
        """Have another function told of asynchronous invocations that failed; the parameters as in `keep_failed_events`."""
        self._on_failure(other.arn, attempts, age).node.add_dependency(other.function)
        allow(self.role, ["lambda:InvokeFunction"], [other.arn])

    def _on_failure(self, destination: str, attempts: int, age: cdk.Duration) -> lambda_.CfnEventInvokeConfig:
        config = lambda_.CfnEventInvokeConfig(
            self,
            "EventInvokeConfig",
            function_name=self.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=attempts,
            maximum_event_age_in_seconds=age.to_seconds(),
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=destination)
            ),
        )
        config.node.add_dependency(self.role)  # AWS checks that the role may send there
        return config

    def bucket(self, name: str, key: str = "") -> str:
        """Return the ARN of one of the platform's buckets, or of the objects `key` in it."""
        return bucket_arn(cdk.Stack.of(self), self._settings, name, key)
