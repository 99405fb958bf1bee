"""The settings of a deployment: one frozen, validated model, read once by ``app.py``."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from contracts.tables.ledger import ledger_of
from contracts.tls import TlsMode

#: AWS Glue 5.1 is Spark 3.5.6, Python 3.11, Java 17 and Iceberg 1.10; the laptop runs the same Spark.
GLUE_VERSION = "5.1"
#: How often Quick Sight makes a whole copy anew. It knows 15 and 30 minutes only for incremental refreshes, which read no row of
#: before a window of days, although it may have been changed or deleted.
REFRESH_MINUTES = (60, 1440)


def _quicksight_arn(kind: str) -> str:
    """Return the pattern of ARNs of one kind."""
    return rf"^arn:aws[a-z-]*:quicksight:[a-z0-9-]+:\d{{12}}:{kind}/.+$"


class SettingsError(Exception):
    """The settings in cdk.json or on the command line are not usable."""


class Settings(BaseModel):
    """Everything that differs between deployments.

    Attributes
    ----------
    environment
        Name of the deployment; part of every physical name.
    account, region
        Where to deploy; without them the stacks take the CLI's own.
    alarm_email
        Who is mailed when something fails; without it the topic has no subscriber.
    alarm_phone
        Who is texted, in E.164 form; optional.
    extract_minutes, recovery_minutes
        How often the source is read, and how often lost events are made good.
    key_lists_hour
        Hour, UTC, at which the daily batch carries every table's key list, by which deletions are found.
    schedules_enabled
        Whether the schedules fire.
    freshness_minutes
        How old a batch may be of which no load has confirmed that the warehouse shows it, before the alarm.
    source_schema, source_tls, warehouse_schema, warehouse_purchase_orders, warehouse_tls
        See the functions' own settings.
    ledger_schema
        Schema, in the warehouse, of what the platform keeps for itself. Without it ``etl``, or ``etl_<warehouse_schema>`` when that
        is not ``public``: two deployments in one database then have a ledger each.
    extract_seconds
        After how many seconds an extraction commits what it has read, and the next invocation continues.
    give_way_seconds
        After how many seconds an extraction gives way to a change of a table's schema that waits for it.
    part_megabytes, compress_parts
        CSV in a part, and whether parts are gzip files.
    enforce_tls
        Whether buckets and topic refuse plain HTTP. Off only where AWS is an emulator.
    lambda_wheels
        Whether function bundles carry their dependencies. Off only where the emulator's Python has them.
    keep_data
        Whether buckets survive the deletion of their stack.
    confirm_destroy
        The environment's name, as the second key: data is only given up when `keep_data` is off and
        this names the environment.
    glue_workers
        Number of G.1X workers at most.
    maintenance_hour
        Hour, UTC, of Sunday at which the lake's files are compacted and expired.
    snapshot_days
        For how many days the lake's files and snapshots stay that newer ones have replaced. Those of batches that no load has
        confirmed stay for as long as it takes.
    quicksight_principal
        ARN of the Quick Sight user or group that owns the dashboard; without it there is none.
    quicksight_readers
        ARN of a Quick Sight group that may look at the dashboard, and at nothing else.
    quicksight_source
        Whether the dashboard's figures come from the lake, through Athena, or from the warehouse.
    quicksight_warehouse_host, quicksight_warehouse_port, quicksight_warehouse_database
        Where Quick Sight finds the warehouse. The secret has them too, but it is filled after the deployment.
    quicksight_vpc_connection
        ARN of the Quick Sight VPC connection to the warehouse; without it Quick Sight reaches it from outside.
    quicksight_mode
        Whether each look asks the source (``direct``), or a copy in Quick Sight's memory (``spice``).
    quicksight_refresh_minutes
        How often such a copy is made anew: every hour or every day. Quick Sight knows shorter times only for parts of a copy.
    quicksight_row_level_data_set
        ARN of a Quick Sight data set with rules of who sees which rows; without it everybody sees all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: str = Field(pattern=r"^[a-z][a-z0-9-]{0,15}$")
    account: str | None = Field(default=None, pattern=r"^\d{12}$")
    region: str | None = Field(default=None, pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    alarm_email: str | None = None
    alarm_phone: str | None = Field(default=None, pattern=r"^\+[1-9]\d{6,14}$")
    extract_minutes: int = Field(default=5, ge=1, le=30)
    recovery_minutes: int = Field(default=15, ge=5, le=30)
    key_lists_hour: int = Field(default=3, ge=0, le=23)
    schedules_enabled: bool = True
    freshness_minutes: int = Field(default=30, ge=10)
    source_schema: str = Field(default="public", min_length=1)
    source_tls: TlsMode = TlsMode.VERIFY_FULL
    warehouse_schema: str = Field(default="public", pattern=r"^[^%]+$")
    ledger_schema: str | None = Field(default=None, pattern=r"^[^%]+$")
    warehouse_purchase_orders: Literal["fact_purchase_orders", "fact_purchase_order"] = "fact_purchase_orders"
    warehouse_tls: TlsMode = TlsMode.VERIFY_FULL
    extract_seconds: int = Field(default=780, ge=10, le=780)
    give_way_seconds: int = Field(default=2, ge=1, le=60)
    part_megabytes: int = Field(default=64, ge=5, le=1024)
    compress_parts: bool = False
    enforce_tls: bool = True
    lambda_wheels: bool = True
    keep_data: bool = True
    confirm_destroy: str = ""
    glue_workers: int = Field(default=2, ge=2, le=100)
    maintenance_hour: int = Field(default=2, ge=0, le=23)
    snapshot_days: int = Field(default=7, ge=1, le=365)
    log_days: Literal[7, 14, 30, 60, 90, 180, 365] = 90
    quicksight_principal: str | None = Field(default=None, pattern=r"^arn:aws[a-z-]*:quicksight:")
    quicksight_readers: str | None = Field(default=None, pattern=_quicksight_arn("group"))
    quicksight_source: Literal["lake", "warehouse"] = "lake"
    quicksight_warehouse_host: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.-]+$", max_length=256)
    quicksight_warehouse_port: int = Field(default=5432, ge=1, le=65535)
    quicksight_warehouse_database: str | None = Field(default=None, min_length=1, max_length=128)
    quicksight_vpc_connection: str | None = Field(default=None, pattern=_quicksight_arn("vpcConnection"))
    quicksight_mode: Literal["direct", "spice"] = "direct"
    quicksight_refresh_minutes: int = 60
    quicksight_row_level_data_set: str | None = Field(default=None, pattern=_quicksight_arn("dataset"))

    @field_validator("alarm_email")
    @classmethod
    def _looks_like_an_address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
            raise ValueError("is not an e-mail address")
        return value

    @field_validator("quicksight_refresh_minutes")
    @classmethod
    def _is_offered(cls, value: int) -> int:
        if value not in REFRESH_MINUTES:
            offered = " or ".join(map(str, REFRESH_MINUTES))
            raise ValueError(f"is not {offered}: Quick Sight refreshes a whole data set every hour or every day")
        return value

    @model_validator(mode="after")
    def _two_keys(self) -> "Settings":
        if not self.keep_data and self.confirm_destroy != self.environment:
            raise ValueError(f"keep_data is off: set confirm_destroy to {self.environment!r} as well, or keep the data")
        return self

    @model_validator(mode="after")
    def _warehouse_is_found(self) -> "Settings":
        missing = [
            name for name in ("quicksight_warehouse_host", "quicksight_warehouse_database") if not getattr(self, name)
        ]
        if self.quicksight_source == "warehouse" and missing:
            raise ValueError(f"quicksight_source is warehouse: set {' and '.join(missing)} as well")
        return self

    @property
    def prefix(self) -> str:
        """First part of every physical name."""
        return f"totesys-{self.environment}"

    @property
    def database(self) -> str:
        """Glue database of the lake."""
        return "totesys" if self.environment in ("prod", "local") else f"totesys_{self.environment.replace('-', '_')}"

    @property
    def raw_database(self) -> str:
        """Glue database of the immutable CSV log."""
        return f"{self.database}_raw"

    @property
    def ledger(self) -> str:
        """Schema of the ledger in the warehouse."""
        return self.ledger_schema or ledger_of(self.warehouse_schema)


def read_settings(context: Mapping[str, Any], environments: Mapping[str, Any]) -> Settings:
    """Put the settings of one environment together.

    Parameters
    ----------
    context
        CDK context: ``env`` names the environment, and any field given there wins.
    environments
        Settings by environment, as in cdk.json.

    Raises
    ------
    SettingsError
        Naming the field, the value and what is accepted.
    """
    name = context.get("env") or "dev"
    if name not in environments:
        raise SettingsError(f"Environment {name!r} is not in cdk.json; there are {', '.join(sorted(environments))}.")
    overrides = {field: context[field] for field in Settings.model_fields if context.get(field) not in (None, "")}
    try:
        return Settings(**{"environment": name, **environments[name], **overrides})
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or name}: {e['msg']}" + (f" (got {e['input']!r})" if e["loc"] else "")
            for e in error.errors()
        )
        raise SettingsError(f"Settings of environment {name!r} are not usable: {problems}. Mend cdk.json.") from None
