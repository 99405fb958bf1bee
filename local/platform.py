"""Bringing a platform up and taking it down."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg

from cdk_app.settings import BUCKETS, Settings
from contracts.protocol.catalog import location
from contracts.tables.ledger import ledger_of
from local.errors import LocalError
from local.home import Home
from local.servers.cdk import Cdk
from local.servers.emulator_process import ACCOUNT, REGION, Aws, client
from local.servers.postgres import PostgresServer
from local.servers.urls import secret_from_url
from local.simulator.business import create_schema, seed
from local.spark.settings import write_spark_defaults
from operate.buckets import empty, is_there

#: Two years of business, as in the real database.
DEFAULT_DAYS = 730

#: Settings of the deployment that a user of `up` may choose.
_SETTINGS = ("warehouse_schema", "warehouse_purchase_orders", "ledger_schema", "schedules_enabled")

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much business an embedded source is seeded with.

    Attributes
    ----------
    days
        Calendar days after 2022-11-03.
    orders
        Sales orders altogether, or None for the real rate of about 23 a weekday.
    """

    days: int = DEFAULT_DAYS
    orders: int | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What a user asks of `up`; None leaves what an earlier `up` chose."""

    source: str | None = None
    warehouse: str | None = None
    warehouse_schema: str | None = None
    warehouse_purchase_orders: str | None = None
    ledger_schema: str | None = None
    scale: Scale = Scale()
    schedules_enabled: bool | None = None
    settings: dict[str, str] = field(default_factory=dict)


def check_databases(options: Options) -> None:
    """Check that the databases a user names answer, before anything starts.

    Raises
    ------
    LocalError
        Saying which does not and what to do; without the password.
    """
    for what, url in (("source", options.source), ("warehouse", options.warehouse)):
        if url is None:
            continue
        details = json.loads(secret_from_url(url, what))
        place = f"{details['host']}:{details['port']}, database {details['dbname']}, user {details['username']}"
        try:
            psycopg.connect(url, connect_timeout=10).close()
        except psycopg.OperationalError as error:
            if "authentication failed" in str(error) or "no password supplied" in str(error):
                raise LocalError(
                    f"The {what} refused the login ({place}). Correct user and password in --{what}."
                ) from None
            raise LocalError(
                f"The {what} does not answer ({place}). Check that it runs and that host, port and database in --{what} are right."
            ) from None


def up(home: Home, options: Options, progress: Progress) -> dict[str, str]:
    """Start the servers of a home and deploy the app; return ``platform.json``.

    Running it again on the same home starts it anew with the data that it has.
    """
    home.create()
    state = home.state()
    for key in ("source", "warehouse", *_SETTINGS):
        if getattr(options, key) is not None:
            state[key] = getattr(options, key)
    state["settings"] = {**state.get("settings", {}), **options.settings}
    for key in ("source", "warehouse"):  # a URI that cannot be read is told before anything starts
        if state.get(key):
            secret_from_url(state[key], key)
    home.write(home.state_file, state)
    with ThreadPoolExecutor(2) as pool:
        databases = pool.submit(_start_databases, home, state, options.scale, progress)
        endpoint, outputs = _deploy(home, state, progress)
        urls = databases.result()
    platform = _platform(home, endpoint, outputs, urls) | {"ledger_schema": _ledger(state)}
    _store_secrets(platform, outputs, urls)
    aws = Aws(home)
    aws.enforce_iam()
    home.write(home.platform_file, platform)
    return platform


def down(home: Home) -> None:
    """Stop everything that runs in a home and keep its data."""
    Aws(home).stop()
    for server in _servers(home, home.state()).values():
        server.stop()
    shutil.rmtree(home.tmp, ignore_errors=True)


def destroy(home: Home, progress: Progress) -> None:
    """Destroy the stacks, stop everything and remove the home."""
    if home.platform_file.exists() and Aws(home).is_running():
        platform = home.platform()
        cdk = Cdk(home, platform["endpoint"], _context(home.state()))
        progress("cdk destroy: what writes")
        cdk.destroy(f"{Settings(environment='local').prefix}-pipeline")
        progress("emptying the buckets")
        _empty_buckets(platform)
        progress("cdk destroy --all")
        cdk.destroy()
    down(home)
    shutil.rmtree(home.directory, ignore_errors=True)


def _servers(home: Home, state: dict[str, Any]) -> dict[str, PostgresServer]:
    """Return the embedded servers of a home: those whose URI the user did not give."""
    directories = {"source": (home.source, "totesys"), "warehouse": (home.warehouse, "warehouse")}
    passwords = state.get("passwords", {})
    return {
        name: PostgresServer(directory, password=passwords.get(name), database=database)
        for name, (directory, database) in directories.items()
        if not state.get(name)
    }


def _start_databases(home: Home, state: dict[str, Any], scale: Scale, progress: Progress) -> dict[str, str]:
    servers = _servers(home, state)
    state["passwords"] = {**state.get("passwords", {}), **{name: s.password for name, s in servers.items()}}
    home.write(home.state_file, state)
    for name, server in servers.items():
        progress(f"starting PostgreSQL for the {name}")
        server.start()
    if "source" in servers:
        _seed(servers["source"].url, scale, progress)
    return {name: servers[name].url if name in servers else state[name] for name in ("source", "warehouse")}


def _seed(url: str, scale: Scale, progress: Progress) -> None:
    """Fill an empty source, all of it or nothing."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select to_regclass('public.sales_order') is not null").fetchone()
        if row and row[0]:
            return
        progress(f"simulating {scale.days} days of business")
        create_schema(connection)
        seed(connection, days=scale.days, orders=scale.orders)


def _deploy(home: Home, state: dict[str, Any], progress: Progress) -> tuple[str, dict[str, str]]:
    progress("starting the AWS emulator")
    endpoint = Aws(home).start()
    cdk = Cdk(home, endpoint, _context(state))
    progress("cdk bootstrap")
    cdk.bootstrap()
    progress("cdk deploy --all")
    cdk.deploy()
    outputs: dict[str, str] = {}
    formation = client({"endpoint": endpoint, "region": REGION}, "cloudformation")
    for stack in formation.describe_stacks()["Stacks"]:
        if stack["StackName"].startswith("totesys-local-"):
            outputs.update({o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])})
    return endpoint, outputs


def _context(state: dict[str, Any]) -> dict[str, str]:
    chosen = {name: str(state[name]) for name in _SETTINGS if state.get(name)}
    return {**chosen, **state.get("settings", {})}


def _ledger(state: dict[str, Any]) -> str:
    """Return the schema of the warehouse's ledger, as the load function finds it."""
    return str(state.get("ledger_schema") or ledger_of(state.get("warehouse_schema") or "public"))


def _platform(home: Home, endpoint: str, outputs: dict[str, str], urls: dict[str, str]) -> dict[str, str]:
    buckets = [outputs["IngestionBucket"], outputs["ProcessedBucket"]]
    write_spark_defaults(
        home.spark,
        endpoint=endpoint,
        warehouse=location(buckets[1]),
        scratch=home.tmp,
    )
    return {
        "endpoint": endpoint,
        "region": REGION,
        "account": ACCOUNT,
        "source_url": urls["source"],
        "warehouse_url": urls["warehouse"],
        "ingestion_bucket": buckets[0],
        "processed_bucket": buckets[1],
        "database": outputs["Database"],
        "raw_database": outputs["RawDatabase"],
        "workgroup": outputs["WorkgroupName"],
        "extract_function": outputs["ExtractFunction"],
        "load_function": outputs["LoadFunction"],
        "transform_job": outputs["TransformJob"],
        "state_machine": outputs["StateMachine"],
        "extract_schedule": outputs["ExtractScheduleName"],
        "heal_schedule": outputs["RecoverScheduleName"],
        "clock": str(home.clock),
        "firings": str(home.firings),
        "topic": outputs["TopicArn"],
        "source_secret": outputs["SourceSecret"],
        "warehouse_secret": outputs["WarehouseSecret"],
    }


def _store_secrets(platform: dict[str, str], outputs: dict[str, str], urls: dict[str, str]) -> None:
    secrets = client(platform, "secretsmanager")
    for name, output in (("source", "SourceSecret"), ("warehouse", "WarehouseSecret")):
        secrets.put_secret_value(SecretId=outputs[output], SecretString=secret_from_url(urls[name], name))


def _empty_buckets(platform: dict[str, str]) -> None:
    s3, settings = client(platform, "s3"), Settings(environment="local")
    for name in BUCKETS:
        bucket = settings.bucket(name, ACCOUNT, REGION)
        if is_there(s3, bucket):
            empty(s3, bucket)
