"""The dead-letter queue: where every event ends that AWS could not deliver, or a function could not take."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_app.compliance import acknowledge
from cdk_app.platform_key import allow_key
from cdk_app.policy import allow
from cdk_app.settings import Settings


class DeadLetters(Construct):
    """One queue for the platform: encrypted, kept for 14 days, and over TLS only.

    Attributes
    ----------
    queue
        The resource.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, key: kms.IKey) -> None:
        super().__init__(scope, construct_id)
        self._key = key if settings.has_customer_key else None
        encryption: dict[str, Any] = {"encryption": sqs.QueueEncryption.SQS_MANAGED}
        if self._key:
            encryption = {"encryption": sqs.QueueEncryption.KMS, "encryption_master_key": self._key}
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=f"{settings.prefix}-undelivered",
            retention_period=cdk.Duration.days(14),
            enforce_ssl=settings.enforce_tls,
            removal_policy=cdk.RemovalPolicy.DESTROY,
            **encryption,
        )
        findings = {"AwsSolutions-SQS3": "This is the dead-letter queue; its alarm says when there is something in it."}
        if not settings.enforce_tls:
            findings["AwsSolutions-SQS4"] = "Only where AWS is an emulator on this machine: it speaks plain HTTP."
        acknowledge(self.queue, findings)

    def accept_from(self, role: iam.Role) -> None:
        """Let a role put events in."""
        allow(role, ["sqs:SendMessage"], [self.queue.queue_arn])
        allow_key(role, self._key, sqs=["kms:Decrypt", "kms:GenerateDataKey"])
