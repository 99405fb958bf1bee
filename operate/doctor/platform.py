"""What the checks look at: the settings, and AWS with short patience."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import boto3
from botocore.config import Config

from cdk_app.settings import STACKS, Settings

Database = Literal["source", "warehouse"]
_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})


class Aws:
    """Makes clients. A session is not safe among threads, and each check has its own.

    Parameters
    ----------
    endpoint
        Of an emulator; None for AWS, or what ``AWS_ENDPOINT_URL`` says.
    """

    def __init__(self, session: boto3.Session, endpoint: str | None = None) -> None:
        self._session = session
        self._endpoint = endpoint
        self._lock = threading.Lock()

    @property
    def region(self) -> str | None:
        """The region of the credentials' profile or of the environment."""
        return self._session.region_name or None

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a client of one service."""
        with self._lock:
            return self._session.client(service, region_name=region, endpoint_url=self._endpoint, config=_CONFIG)


@dataclass(frozen=True, slots=True)
class Platform:
    """A deployment, there or to be.

    Attributes
    ----------
    client
        Returns a client of a service, in the deployment's region unless another one is named.
    account, region
        Where it is deployed.
    """

    settings: Settings
    client: Callable[..., Any]
    account: str
    region: str

    @property
    def stacks(self) -> list[str]:
        """Names of the stacks."""
        return [f"{self.settings.prefix}-{name}" for name in STACKS]

    @property
    def topic(self) -> str:
        """ARN of the topic that tells of failures."""
        return f"arn:{self.partition}:sns:{self.region}:{self.account}:{self.settings.prefix}-alarms"

    @property
    def partition(self) -> str:
        """Partition of AWS that the region belongs to."""
        return str(boto3.Session().get_partition_for_region(self.region))

    def bucket(self, name: str) -> str:
        """Return the physical name of a bucket."""
        return f"{self.settings.prefix}-{name}-{self.account}-{self.region}"

    def function(self, name: str) -> str:
        """Return the physical name of a function."""
        return f"{self.settings.prefix}-{name}"

    def given_secret(self, what: Database) -> str | None:
        """Return the ARN of the secret that the settings name, or None when the deployment makes one."""
        return self.settings.source_secret_arn if what == "source" else self.settings.warehouse_secret_arn

    def secret(self, what: Database) -> str:
        """Return the ARN or name of the secret with a database's login."""
        return self.given_secret(what) or f"{self.settings.prefix}/{what}"
