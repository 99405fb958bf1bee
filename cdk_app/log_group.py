"""A log group as this platform makes them."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk_app.settings import Settings

_RETENTION = {
    7: "ONE_WEEK",
    14: "TWO_WEEKS",
    30: "ONE_MONTH",
    60: "TWO_MONTHS",
    90: "THREE_MONTHS",
    180: "SIX_MONTHS",
    365: "ONE_YEAR",
}


def log_group(
    scope: Construct, construct_id: str, *, name: str, settings: Settings, key: kms.IKey | None
) -> logs.LogGroup:
    """Make the log group `name`, which forgets after ``log_days`` and goes with its stack: logs are no data.

    Parameters
    ----------
    key
        What encrypts it; None where AWS's own key does.
    """
    return logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        retention=logs.RetentionDays(_RETENTION[settings.log_days]),
        encryption_key=key,
        removal_policy=RemovalPolicy.DESTROY,
    )
