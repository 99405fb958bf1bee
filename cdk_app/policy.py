"""Permissions, written by hand; a wildcard needs a reason, which acknowledges cdk-nag's finding."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from cdk_app.compliance import acknowledge

#: Why a role may read all documents of a kind.
NUMBERED = "Manifests, publications and listings are numbered; the function reads those that exist, and the hints where they end."


def allow(
    role: iam.Role,
    actions: list[str],
    resources: list[str],
    *,
    wildcard: str | None = None,
    conditions: dict[str, Any] | None = None,
) -> None:
    """Allow `role` to do `actions` on `resources`.

    Parameters
    ----------
    wildcard
        Why a ``*`` in the resources is no more than what is needed. Required when there is one.

    Raises
    ------
    ValueError
        When a resource has a wildcard and no reason was given.
    """
    role.add_to_principal_policy(iam.PolicyStatement(actions=actions, resources=resources, conditions=conditions))
    stack = cdk.Stack.of(role)
    for resource in resources:
        text = _flat(stack.resolve(resource))
        if "*" not in text:
            continue
        if not wildcard:
            raise ValueError(f"{role.node.path}: {text} has a wildcard; say why")
        acknowledge(role, {f"AwsSolutions-IAM5[Resource::{text}]": wildcard})


def _flat(value: Any) -> str:
    """Write a resolved token as cdk-nag does: ``<Ref>`` in angle brackets."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::Join":
        return "".join(_flat(part) for part in argument[1])
    if function == "Fn::GetAtt":
        return f"<{'.'.join(argument)}>"
    return f"<{argument}>"
