"""What becomes of data when its stack is deleted."""

import aws_cdk as cdk

from cdk_app.settings import Settings


def removal(settings: Settings) -> cdk.RemovalPolicy:
    """Return the policy of everything that would be lost: buckets, the key, secrets, the lake's database.

    Kept data outlives its stack, but not a deployment that made it and failed: its empty buckets, under their fixed names,
    would stand in the way of the next one.
    """
    return cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if settings.keep_data else cdk.RemovalPolicy.DESTROY
