"""The secrets with the databases' logins: whether they are there, filled, and of the right shape."""

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from lambdas.errors import SecretError
from lambdas.secret import ConnectionDetails, read_connection_details
from operate.doctor.checks.stacks import is_deployed
from operate.doctor.finding import Finding, fine
from operate.doctor.kinds import Kind
from operate.doctor.permissions import is_not_found
from operate.doctor.platform import Database, Platform


def check_secrets(platform: Platform) -> Iterator[Finding]:
    """Look at both secrets."""
    yield from _check(platform, "source")
    yield from _check(platform, "warehouse")


def _check(platform: Platform, what: Database) -> Iterator[Finding]:
    secret, given = platform.secret(what), platform.given_secret(what)
    client = platform.client("secretsmanager")
    names = {
        "secret": secret,
        "what": what,
        "setting": f"{what}_secret_arn",
        "environment": platform.settings.environment,
    }
    described = _described(client, secret)
    is_ours = given is None and not is_deployed(platform, "pipeline")
    if described is None and is_ours:
        yield fine(f"Secret {secret} comes with the first deployment.")
    elif described is None:
        yield Kind.SECRET_MISSING.found(f"Secret {secret} does not exist.", **names)
    elif described.get("DeletedDate"):
        yield Kind.SECRET_IN_DELETION.found(f"Secret {secret} is about to be deleted.", **names)
    elif is_ours:
        text = f"Secret {secret} is there, and of no stack that is deployed."
        yield Kind.SECRET_LEFT.found(text, arn=described["ARN"], **names)
    else:
        yield _shape(client, secret, names)


def _described(client: Any, secret: str) -> dict[str, Any] | None:
    try:
        return dict(client.describe_secret(SecretId=secret))
    except ClientError as error:
        if not is_not_found(error):
            raise
        return None


def _shape(client: Any, secret: str, names: dict[str, str]) -> Finding:
    try:
        text = client.get_secret_value(SecretId=secret).get("SecretString") or ""
    except ClientError as error:
        if not is_not_found(error):  # a secret that was made without a value has no version
            raise
        text = ""
    if is_empty(text):
        return Kind.SECRET_EMPTY.found(f"Secret {secret} has not been filled.", **names)
    try:
        read_connection_details(client, secret)
    except SecretError as error:
        return Kind.SECRET_UNUSABLE.found(str(error), **names)
    return fine(f"Secret {secret} has all fields.")


def is_empty(text: str) -> bool:
    """Tell whether a secret holds nothing that anybody has stored: no field that a login has."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return False
    return isinstance(value, dict) and not value.keys() & ConnectionDetails.model_fields.keys()
