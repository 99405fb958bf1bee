"""The settings of a deployment: one frozen, validated model, read once by ``app.py``."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cdk_app.setting_types import (
    EXAMPLES,
    SECRET_ARN,
    Addresses,
    Endpoints,
    Phones,
    RouteTables,
    SecurityGroups,
    Subnets,
    Tags,
    quicksight_arn,
)
from contracts.tables.ledger import ledger_of
from contracts.tls import TlsMode

#: AWS Glue 5.1 is Spark 3.5.6, Python 3.11, Java 17 and Iceberg 1.10; the laptop runs the same Spark.
GLUE_VERSION = "5.1"
#: How often Quick Sight makes a whole copy anew. It knows 15 and 30 minutes only for incremental refreshes, which read no row of
#: before a window of days, although it may have been changed or deleted.
REFRESH_MINUTES = (60, 1440)
#: What a batch may need from its snapshot to the warehouse, beside the wait for the next publication: reading, a run of the job
#: that begins late, a load.
PUBLISH_TAKES_MINUTES = 10
#: What a deployment has, by the last part of the physical name.
STACKS = ("storage", "catalog", "pipeline", "alerting", "analytics")
BUCKETS = ("access-logs", "ingestion", "processed", "athena-results")


class SettingsError(Exception):
    """The settings in cdk.json or on the command line are not usable."""


class Settings(BaseModel):
    """Everything that differs between deployments.

    Attributes
    ----------
    environment
        Name of the deployment; part of every physical name.
    account, region
        Where to deploy. Only ``prod`` must name them; elsewhere the stacks take the CLI's own.
    alarm_email
        Who is mailed when something fails; one or several addresses.
    alarm_phone
        Who is texted, in E.164 form; one or several numbers. ``prod`` must have an address or a number.
    runbooks
        Where messages say that the runbooks are: a path or URL that ends before the file's name.
    tags
        Tags of every resource, beside ``application`` and ``environment``.
    permissions_boundary
        ARN of the policy that bounds every role of the platform.
    termination_protection
        Whether stacks refuse to be deleted; without it, where data is kept.
    vpc_id, subnet_ids, security_group_ids
        Network in which the functions run, as it is needed for a database without a public address: two subnets in two zones at
        best, whose routes reach the databases and AWS. All three or none.
    vpc_endpoints, route_table_ids
        Ways to AWS that the deployment adds to that network, for subnets without a route to the internet; ``s3`` needs the
        subnets' route tables. Each but ``s3`` costs per hour and zone: docs/cost.md.
    source_secret_arn, warehouse_secret_arn
        Secrets that exist already; without them the deployment creates empty ones.
    customer_key
        Whether buckets, secrets and the functions' logs are encrypted with the platform's own key rather than with AWS's;
        without it, in ``prod``. Alarms and job logs always are.
    key_arn
        A KMS key that exists already; without it the deployment creates one.
    adopt
        Whether the buckets and the lake's database, which an earlier deployment of the same name has left, are used as they are.
        That deployment kept its data, and its key is needed too: `key_arn`.
    extract_minutes, recovery_minutes
        How often the source is read, and how often lost events are made good.
    key_lists_hour
        Hour, UTC, at which the daily batch carries every table's key list, by which deletions are found.
    publish_minutes
        Every how many minutes batches are published together, which makes good as well what was lost; 0 publishes each as it is
        committed.
    schedules_enabled
        Whether the schedules fire.
    reserve_concurrency
        Whether AWS itself keeps a second extraction from running at a time. Young accounts refuse to reserve any; a lease in the
        source does the same without.
    freshness_minutes
        How old a batch may be of which no load has confirmed that the warehouse shows it, before the alarm.
    source_schema, source_tls, warehouse_schema, warehouse_purchase_orders, warehouse_tls
        See the functions' own settings.
    ledger_schema
        Schema, in the warehouse, of what the platform keeps for itself. Without it ``etl``, or ``etl_<warehouse_schema>`` when that
        is not ``public``: two deployments in one database then have a ledger each.
    extract_seconds
        After how many seconds an extraction commits what it has read, and the next invocation continues.
    load_seconds
        After how many seconds a load stops where it can, and the next one continues.
    give_way_seconds
        After how many seconds an extraction gives way to a change of a table's schema that waits for it.
    part_megabytes, compress_parts
        CSV in a part, and whether parts are gzip files.
    enforce_tls
        Whether buckets, topic and queue refuse plain HTTP. Off only where AWS is an emulator.
    lambda_wheels
        Whether function bundles carry their dependencies. Off only where the emulator's Python has them.
    keep_data
        Whether buckets, the lake's database, secrets and the key survive the deletion of their stack.
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

    environment: str = Field(pattern=r"^[a-z][a-z0-9-]{0,10}$")  # a bucket's name has 63 characters
    account: str | None = Field(default=None, pattern=r"^\d{12}$")
    region: str | None = Field(default=None, pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    alarm_email: Addresses = ()
    alarm_phone: Phones = ()
    runbooks: str = Field(default="docs/runbooks/", pattern=r"^\S+/$", max_length=200)
    tags: Tags = Field(default={}, max_length=40)
    permissions_boundary: str | None = Field(default=None, pattern=r"^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/.+$")
    termination_protection: bool | None = None
    vpc_id: str | None = Field(default=None, pattern=r"^vpc-[0-9a-f]{8,17}$")
    subnet_ids: Subnets = ()
    security_group_ids: SecurityGroups = ()
    vpc_endpoints: Endpoints = ()
    route_table_ids: RouteTables = ()
    source_secret_arn: str | None = Field(default=None, pattern=SECRET_ARN)
    warehouse_secret_arn: str | None = Field(default=None, pattern=SECRET_ARN)
    customer_key: bool | None = None
    key_arn: str | None = Field(default=None, pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/.+$")
    adopt: bool = False
    extract_minutes: int = Field(default=5, ge=1, le=30)
    recovery_minutes: int = Field(default=15, ge=5, le=30)
    key_lists_hour: int = Field(default=3, ge=0, le=23)
    publish_minutes: int = Field(default=0, ge=0, le=30)
    schedules_enabled: bool = True
    reserve_concurrency: bool = False
    freshness_minutes: int = Field(default=30, ge=10)
    source_schema: str = Field(default="public", min_length=1)
    source_tls: TlsMode = TlsMode.VERIFY_FULL
    warehouse_schema: str = Field(default="public", pattern=r"^[^%]+$")
    ledger_schema: str | None = Field(default=None, pattern=r"^[^%]+$")
    warehouse_purchase_orders: Literal["fact_purchase_orders", "fact_purchase_order"] = "fact_purchase_orders"
    warehouse_tls: TlsMode = TlsMode.VERIFY_FULL
    extract_seconds: int = Field(default=780, ge=10, le=780)
    load_seconds: int = Field(default=780, ge=10, le=780)
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
    quicksight_readers: str | None = Field(default=None, pattern=quicksight_arn("group"))
    quicksight_source: Literal["lake", "warehouse"] = "lake"
    quicksight_warehouse_host: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.-]+$", max_length=256)
    quicksight_warehouse_port: int = Field(default=5432, ge=1, le=65535)
    quicksight_warehouse_database: str | None = Field(default=None, min_length=1, max_length=128)
    quicksight_vpc_connection: str | None = Field(default=None, pattern=quicksight_arn("vpcConnection"))
    quicksight_mode: Literal["direct", "spice"] = "direct"
    quicksight_refresh_minutes: int = 60
    quicksight_row_level_data_set: str | None = Field(default=None, pattern=quicksight_arn("dataset"))

    @field_validator("tags")
    @classmethod
    def _are_free(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not re.fullmatch(r"(?!aws:)[\w .:/=+@-]{1,128}", name) or name in ("application", "environment"):
                raise ValueError(f"has a tag {name!r}, which AWS or the platform keeps for itself")
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

    @model_validator(mode="after")
    def _prod_is_pinned(self) -> "Settings":
        if self.environment == "prod":
            missing = [name for name in ("account", "region") if not getattr(self, name)]
            if not (self.alarm_email or self.alarm_phone):
                missing.append("alarm_email or alarm_phone")
            if missing:
                raise ValueError(
                    f"prod needs {' and '.join(missing)}: it goes into no account by accident, and somebody is told when it fails"
                )
        return self

    @model_validator(mode="after")
    def _network_is_whole(self) -> "Settings":
        network = ("vpc_id", "subnet_ids", "security_group_ids")
        missing = [name for name in network if not getattr(self, name)]
        given = [name for name in (*network, "vpc_endpoints", "route_table_ids") if getattr(self, name)]
        if given and missing:
            raise ValueError(f"{' and '.join(given)} is set: set {' and '.join(missing)} as well")
        if ("s3" in self.vpc_endpoints) != bool(self.route_table_ids):
            raise ValueError(
                "vpc_endpoints s3 and route_table_ids go together: the endpoint is a route in those tables"
            )
        return self

    @model_validator(mode="after")
    def _window_is_fresh(self) -> "Settings":
        least = self.publish_minutes + PUBLISH_TAKES_MINUTES
        if self.publish_minutes and self.freshness_minutes < least:
            raise ValueError(
                f"publish_minutes is {self.publish_minutes}: set freshness_minutes to {least} or more, or the alarm not-fresh rises "
                f"although nothing failed"
            )
        return self

    @model_validator(mode="after")
    def _adoption_is_whole(self) -> "Settings":
        if self.adopt and not (self.keep_data and self.key_arn):
            raise ValueError(
                "adopt is set: set keep_data and key_arn as well. It uses what a deployment with keep_data has left, and its data "
                "may be encrypted with that key; make adopted prints it"
            )
        return self

    @property
    def is_protected(self) -> bool:
        """Whether stacks refuse to be deleted."""
        return self.keep_data if self.termination_protection is None else self.termination_protection

    @property
    def has_customer_key(self) -> bool:
        """Whether the platform's own key encrypts buckets, secrets and the functions' logs."""
        return self.environment == "prod" if self.customer_key is None else self.customer_key

    @property
    def prefix(self) -> str:
        """First part of every physical name."""
        return f"totesys-{self.environment}"

    def bucket(self, name: str, account: str, region: str) -> str:
        """Physical name of the bucket `name`."""
        return f"{self.prefix}-{name}-{account}-{region}"

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


def unknown_settings(names: Iterable[str]) -> list[str]:
    """Tell of each name, given as context, that is neither a setting nor the CDK's own."""
    known = {*Settings.model_fields, "env", "environments"}
    return [
        f"There is no setting {name!r}"
        + "".join(f"; did you mean {near!r}?" for near in difflib.get_close_matches(name, known, 1))
        for name in sorted(names)
        if name not in known and not re.search(r"[:/]", name)  # the CDK's are @aws-cdk/… and aws:cdk:…
    ]


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
    if unknown := unknown_settings(context):
        raise SettingsError("; ".join(unknown))
    name = context.get("env") or "dev"
    if name not in environments:
        raise SettingsError(f"Environment {name!r} is not in cdk.json; there are {', '.join(sorted(environments))}.")
    overrides = {field: context[field] for field in Settings.model_fields if context.get(field) not in (None, "")}
    try:
        return Settings(**{"environment": name, **environments[name], **overrides})
    except ValidationError as error:
        problems = "; ".join(_told(problem, name) for problem in error.errors())
        raise SettingsError(f"Settings of environment {name!r} are not usable: {problems}. Mend cdk.json.") from None


def _told(problem: Any, environment: str) -> str:
    """Name the setting, what is allowed, and the value."""
    place = ".".join(map(str, problem["loc"])) or environment
    allowed = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "string_pattern_mismatch":
        allowed = f"does not look like {EXAMPLES[problem['loc'][0]]!r}"
    return f"{place}: {allowed}" + (f" (got {problem['input']!r})" if problem["loc"] else "")
