"""The key that encrypts what the platform stores: one that it makes, or one that exists already."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from cdk_app.policy import allow
from cdk_app.removal import removal
from cdk_app.settings import Settings

#: What a service does with the key to send or to pass on a message that the key encrypts.
_MESSAGES = ["kms:Decrypt", "kms:GenerateDataKey*"]
#: What CloudWatch Logs does with it.
_LOGS = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]


def platform_key(stack: cdk.Stack, settings: Settings) -> kms.IKey:
    """Return the key ``key_arn``, or make one.

    The policy of a key that exists already cannot be changed here: what it must allow is in docs/deploying.md. The alias goes
    with the key: a kept key is found by it, and a deployment that would make a second one is refused.
    """
    if settings.key_arn:
        return kms.Key.from_key_arn(stack, "Key", settings.key_arn)
    key = kms.Key(
        stack,
        "Key",
        description=f"totesys: {'data, secrets, ' if settings.has_customer_key else ''}alarms and logs",
        enable_key_rotation=True,
        removal_policy=removal(settings),
    )
    key.add_alias(f"alias/{settings.prefix}").apply_removal_policy(removal(settings))
    account = {"StringEquals": {"aws:SourceAccount": stack.account}}
    logs = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:*"
    _let(key, "cloudwatch", _MESSAGES, account)
    _let(key, "events", _MESSAGES, account)
    _let(key, f"logs.{stack.region}", _LOGS, {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs}})
    return key


def _let(key: kms.Key, service: str, actions: list[str], conditions: dict[str, dict[str, str]]) -> None:
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
            actions=actions,
            resources=["*"],
            conditions=conditions,
        )
    )


def allow_key(role: iam.Role, key: kms.IKey | None, **actions: list[str]) -> None:
    """Allow `role` to use `key` through services only.

    Parameters
    ----------
    key
        None where AWS's own keys encrypt: they ask for no permission.
    actions
        Service → what is done through it, for example ``s3=["kms:Decrypt"]``.
    """
    if key is None:
        return
    region = cdk.Stack.of(role).region
    for service, allowed in actions.items():
        through = {"StringEquals": {"kms:ViaService": f"{service}.{region}.amazonaws.com"}}
        allow(role, allowed, [key.key_arn], conditions=through)
