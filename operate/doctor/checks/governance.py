"""What an administrator may have decided beforehand: a key to be used, and Lake Formation."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from operate.doctor.finding import Finding, fine
from operate.doctor.kinds import Kind
from operate.doctor.permissions import is_not_found
from operate.doctor.platform import Platform

_SYMMETRIC = "SYMMETRIC_DEFAULT"


def check_key(platform: Platform) -> Iterator[Finding]:
    """Look whether the key of the settings can be used."""
    settings, key = platform.settings, platform.settings.key_arn
    if not key:
        yield fine("No key of yours is set: the deployment makes its own.")
        return
    client = platform.client("kms", key.split(":")[3])
    try:
        described = client.describe_key(KeyId=key)["KeyMetadata"]
    except ClientError as error:
        if not is_not_found(error):
            raise
        yield Kind.KEY_MISSING.found("KMS does not know the key of key_arn.", environment=settings.environment)
        return
    wrong = _what_is_wrong(described, key, platform.region)
    if wrong:
        yield Kind.KEY_UNUSABLE.found(f"The key of key_arn: {', '.join(wrong)}.", key=key)
        return
    policy = client.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    services = ["cloudwatch.amazonaws.com", f"logs.{platform.region}.amazonaws.com"]
    if settings.has_customer_key:  # which encrypts the dead-letter queue
        services.append("events.amazonaws.com")
    unnamed = [service for service in services if service not in policy]
    if unnamed:
        yield Kind.KEY_POLICY.found(f"The policy of key_arn does not name {', '.join(unnamed)}.")
    else:
        yield fine("The key of key_arn is enabled.")


def _what_is_wrong(described: dict[str, Any], key: str, region: str) -> list[str]:
    wrong = []
    if described["KeyState"] != "Enabled":
        wrong.append(f"its state is {described['KeyState']}")
    if described.get("KeySpec", _SYMMETRIC) != _SYMMETRIC:
        wrong.append(f"it is of kind {described['KeySpec']}")
    if key.split(":")[3] != region:
        wrong.append(f"it is in {key.split(':')[3]}, the deployment in {region}")
    return wrong


def check_lake_formation(platform: Platform) -> Iterator[Finding]:
    """Look whether new databases and tables are open to whom IAM admits, as they are until Lake Formation is in force."""
    answer = platform.client("lakeformation").get_data_lake_settings()["DataLakeSettings"]
    defaults = ("CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions")
    if all("IAM_ALLOWED_PRINCIPALS" in str(answer.get(name, [])) for name in defaults):
        yield fine("IAM alone decides who may use the Glue Data Catalog.")
    else:
        yield Kind.LAKE_FORMATION.found(
            "Lake Formation governs new databases and tables in this account.",
            databases=f"{platform.settings.database}, {platform.settings.raw_database}",
        )
