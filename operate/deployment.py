"""One deployment, as its settings name it: where it is, and what it is called there."""

import json
import os
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from cdk_app.settings import BUCKETS, STACKS, Settings, SettingsError, read_settings
from operate.errors import OperateError

ROOT = Path(__file__).resolve().parent.parent
#: What services answer when something is not there.
_ABSENT = ("ValidationError", "ResourceNotFoundException", "EntityNotFoundException", "NotFoundException")


class Deployment:
    """The deployment of one environment in the account and the region of the AWS client.

    ``AWS_ENDPOINT_URL`` names another AWS, such as the emulator's.

    Parameters
    ----------
    environment
        As in cdk.json.

    Raises
    ------
    OperateError
        When the settings are not usable, or the client is in another account than they say.
    """

    def __init__(self, environment: str) -> None:
        environments = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]["environments"]
        try:
            self.settings: Settings = read_settings({"env": environment}, environments)
        except SettingsError as error:
            raise OperateError(str(error)) from None
        self.region = self.settings.region or boto3.Session().region_name or os.environ.get("AWS_REGION")
        if not self.region:
            raise OperateError(f"Nothing says in which region {environment} is: set AWS_REGION. Nothing was changed.")
        self.account = str(self.client("sts").get_caller_identity()["Account"])
        if self.settings.account not in (None, self.account):
            raise OperateError(
                f"{environment} is in account {self.settings.account}, these credentials are of {self.account}. Nothing was "
                f"changed. Choose the profile of that account: AWS_PROFILE."
            )

    def client(self, service: str) -> Any:
        """Return a client of one service."""
        return boto3.client(service, region_name=self.region)

    @property
    def buckets(self) -> list[str]:
        """Names of the buckets, whether they are there or not."""
        return [self.settings.bucket(name, self.account, str(self.region)) for name in BUCKETS]

    def stacks(self) -> dict[str, dict[str, Any]]:
        """Return the stacks that are there: name → description."""
        formation = self.client("cloudformation")
        names = [f"{self.settings.prefix}-{name}" for name in STACKS]
        found = {name: there(formation.describe_stacks, StackName=name) for name in names}
        return {name: answer["Stacks"][0] for name, answer in found.items() if answer}

    def secret_arn(self, name: str) -> str | None:
        """Return the ARN of the secret `name` (source or warehouse): the setting's, or that of the deployment's own."""
        given = getattr(self.settings, f"{name}_secret_arn")
        found = there(self.client("secretsmanager").describe_secret, SecretId=f"{self.settings.prefix}/{name}")
        return given or (found["ARN"] if found and not found.get("DeletedDate") else None)

    def key_arn(self) -> str | None:
        """Return the ARN of the platform's key: the setting's, or that of the alias."""
        if self.settings.key_arn:
            return self.settings.key_arn
        found = there(self.client("kms").describe_key, KeyId=f"alias/{self.settings.prefix}")
        return str(found["KeyMetadata"]["Arn"]) if found else None

    def databases(self) -> list[str]:
        """Return the Glue databases with tables of the job that are there: the lake's, and those of replays."""
        lake = self.settings.database
        pages = self.client("glue").get_paginator("get_databases").paginate()
        names = [database["Name"] for page in pages for database in page["DatabaseList"]]
        return [name for name in names if name == lake or name.startswith(f"{lake}_replay")]


def there(call: Any, **request: Any) -> dict[str, Any] | None:
    """Return what a call answers, or None when what it asks for is not there."""
    try:
        return dict(call(**request))
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return None
        raise
