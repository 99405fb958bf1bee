"""A bucket that an earlier deployment of the same name has left."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from cdk_app.compliance import PLAIN_HTTP, acknowledge


def adopted_bucket(
    stack: cdk.Stack, construct_id: str, *, name: str, enforce_tls: bool, logs_of: dict[str, str] | None = None
) -> s3.IBucket:
    """Use the bucket `name` as it is, and put its policy again, which went with the earlier stack.

    All else of a bucket stays with it: encryption, versions, what is expired, where it logs and whom it notifies.

    Parameters
    ----------
    enforce_tls
        Whether it refuses plain HTTP and TLS older than 1.2.
    logs_of
        Prefix → ARN of the bucket whose access logs are written there.
    """
    bucket = s3.Bucket.from_bucket_name(stack, construct_id, name)
    statements = [
        *(_refusals(bucket) if enforce_tls else []),
        *(_log_delivery(bucket, prefix, source, stack.account) for prefix, source in (logs_of or {}).items()),
    ]
    if statements:
        policy = s3.BucketPolicy(stack, f"{construct_id}Policy", bucket=bucket)
        policy.document.add_statements(*statements)
        if not enforce_tls:
            acknowledge(policy, PLAIN_HTTP)
    return bucket


def _refusals(bucket: s3.IBucket) -> list[iam.PolicyStatement]:
    conditions = ({"Bool": {"aws:SecureTransport": "false"}}, {"NumericLessThan": {"s3:TlsVersion": 1.2}})
    return [
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["s3:*"],
            resources=[bucket.bucket_arn, bucket.arn_for_objects("*")],
            conditions=condition,
        )
        for condition in conditions
    ]


def _log_delivery(bucket: s3.IBucket, prefix: str, source: str, account: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        principals=[iam.ServicePrincipal("logging.s3.amazonaws.com")],
        actions=["s3:PutObject"],
        resources=[bucket.arn_for_objects(f"{prefix}*")],
        conditions={"ArnLike": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": account}},
    )
