"""Acknowledging single findings of cdk-nag, each with its reason."""

import aws_cdk as cdk
from constructs import IConstruct

#: The finding on a bucket that does not refuse plain HTTP.
PLAIN_HTTP = {"AwsSolutions-S10": "Only where AWS is an emulator on this machine: it speaks plain HTTP."}


def acknowledge(construct: IConstruct, findings: dict[str, str]) -> None:
    """Acknowledge findings on one construct.

    Parameters
    ----------
    findings
        Finding, as cdk-nag prints it (with the resource in brackets where it prints one) → reason.
    """
    for finding, reason in findings.items():
        cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=finding, reason=reason))
