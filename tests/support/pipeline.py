"""The pipeline in one process: the real handlers and the real job, real PostgreSQL, S3 and Glue.

Each `Pipeline` has databases and buckets of its own; servers and Spark are shared by the session.
"""

import json
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import boto3
import psycopg
import pytest

from local.demo import oracle
from local.home import Home
from local.servers.emulator_process import REGION, Aws, credentials
from local.servers.postgres import PostgresServer
from local.servers.urls import secret_from_url
from local.simulator.business import create_schema, seed

#: Small and quick, with every table filled.
DAYS = 4


@dataclass
class Servers:
    """What the session shares."""

    home: Home
    aws: Aws
    endpoint: str
    source: PostgresServer
    warehouse: PostgresServer
    databases: list[str] = field(default_factory=list)
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = boto3.client(service)
        return self.clients[service]

    def create_database(self, server: PostgresServer, template: str = "template1") -> str:
        name = f"db_{uuid.uuid4().hex[:10]}"
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"create database {name} template {template}")
        return server.url.rsplit("/", 1)[0] + f"/{name}"

    def seeded_template(self) -> str:
        """A source with a few days of business, made once and copied for each test."""
        if not self.databases:
            url = self.create_database(self.source)
            with psycopg.connect(url) as connection:
                create_schema(connection)
                seed(connection, days=DAYS)
            self.databases.append(url.rsplit("/", 1)[1])
        return self.databases[0]


def start_servers(directory: Any) -> Servers:
    home = Home(directory / "home")
    home.create()
    aws = Aws(home)
    endpoint = aws.start()
    servers = {
        name: PostgresServer(directory / name, password="secret-" + name, database=name)
        for name in ("source", "warehouse")
    }
    for server in servers.values():
        server.start()
    return Servers(home, aws, endpoint, servers["source"], servers["warehouse"])


def environment(endpoint: str) -> dict[str, str]:
    return {**credentials(), "AWS_ENDPOINT_URL": endpoint}


class Pipeline:
    """One source, two buckets, one warehouse, and the three stages as functions."""

    def __init__(self, servers: Servers, monkeypatch: pytest.MonkeyPatch, *, empty: bool = False) -> None:
        self.servers = servers
        self.monkeypatch = monkeypatch
        unique = uuid.uuid4().hex[:10]
        self.ingestion, self.processed = f"ingestion-{unique}", f"processed-{unique}"
        self.database = f"lake_{unique}"
        self.source_url = servers.create_database(servers.source, "template1" if empty else servers.seeded_template())
        self.warehouse_url = servers.create_database(servers.warehouse)
        self.s3 = servers.client("s3")
        for bucket in (self.ingestion, self.processed):
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        servers.client("glue").create_database(
            DatabaseInput={"Name": self.database, "LocationUri": f"s3://{self.processed}/star"}
        )
        self.secrets = {}
        for name, url in (("source", self.source_url), ("warehouse", self.warehouse_url)):
            self.secrets[name] = f"{name}-{unique}"
            servers.client("secretsmanager").create_secret(
                Name=self.secrets[name], SecretString=secret_from_url(url, name)
            )
        self.variables = {
            "INGESTION_BUCKET": self.ingestion,
            "PROCESSED_BUCKET": self.processed,
            "SOURCE_SECRET": self.secrets["source"],
            "SOURCE_TLS": "prefer",
            "WAREHOUSE_SECRET": self.secrets["warehouse"],
            "WAREHOUSE_TLS": "prefer",
        }
        for name, value in self.variables.items():
            monkeypatch.setenv(name, value)

    def extract(self, **request: Any) -> dict[str, Any]:
        from lambdas.extract.handler import handler

        return dict(handler({"trigger": "schedule", **request}, lambda_context()))

    def transform(self, spark: Any, **options: Any) -> None:
        from glue_jobs.transform import main

        arguments = ["--ingestion_bucket", self.ingestion, "--processed_bucket", self.processed]
        arguments += [text for name, value in options.items() for text in (f"--{name}", str(value))]
        main([*arguments, "--database", self.database, "--JOB_NAME", "transform"])

    def load(self, event: dict[str, Any] | None = None) -> dict[str, Any]:
        from lambdas.load.handler import handler

        return dict(handler(event or {"step": "load"}, lambda_context()))

    def run(self, spark: Any) -> int | None:
        """One batch through all stages."""
        batch = self.extract()["batch"]
        self.transform(spark)
        self.load()
        return batch

    @contextmanager
    def source(self):
        with psycopg.connect(self.source_url) as connection:
            yield connection

    def warehouse(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.warehouse_url) as connection:
            return connection.execute(statement, parameters or None).fetchall()

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def document(self, bucket: str, key: str) -> dict[str, Any]:
        return json.loads(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def lake(self, spark: Any, database: str = "") -> Any:
        """Return a function that reads a table of the lake as it is now."""
        from contracts.tables.lake import LAKE_TABLES
        from glue_jobs.lake.tables import Lake

        lake = Lake(spark, database or self.database, self.processed)
        return lambda name: lake.read(LAKE_TABLES[name])

    def differences(self) -> dict[str, str]:
        """How the warehouse's current state differs from what plain SQL over the source says."""
        found = oracle.warehouse_rows(self.warehouse_url)
        return oracle.differences(oracle.source_rows(self.source_url), found)

    def assert_equal(self) -> None:
        assert self.differences() == {}


def lambda_context(remaining_ms: int = 900_000) -> Any:
    return SimpleNamespace(
        function_name="f",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:eu-west-2:000000000001:function:f",
        aws_request_id="1",
        get_remaining_time_in_millis=lambda: remaining_ms,
    )
