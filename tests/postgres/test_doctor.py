"""Doctor before real databases: what the functions would stumble over is found, and nothing is changed."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import boto3
import psycopg
import pytest

from cdk_app.settings import Settings
from lambdas.load.warehouse.naming import Naming
from local.home import ROOT
from local.servers.emulator_process import ACCOUNT, REGION
from local.servers.urls import secret_from_url
from operate.doctor.checks import database, source, warehouse
from operate.doctor.checks.source import check_source, standby_findings
from operate.doctor.checks.warehouse import check_warehouse, writable_findings
from operate.doctor.kinds import Kind
from operate.doctor.platform import Platform
from tests.support.doctor import kinds, texts
from tests.support.lake import FakeLake
from tests.support.publications import publish_some
from tools.warehouse_script import render


class Deployment:
    """Secrets of a deployment over a pipeline's databases, and logins of our making."""

    def __init__(self, pipeline):
        self.pipeline = pipeline
        self.environment = "t" + pipeline.database.removeprefix("lake_")
        self.role = f"doctor_{self.environment}"
        self.secrets = pipeline.servers.client("secretsmanager")
        self.settings = {"source_tls": "prefer", "warehouse_tls": "prefer"}
        for what in ("source", "warehouse"):
            self.secrets.create_secret(Name=f"totesys-{self.environment}/{what}", SecretString=self.login(what))

    def login(self, what, user="", password="pw"):
        url = getattr(self.pipeline, f"{what}_url")
        return secret_from_url(url.replace(f"postgres:secret-{what}", f"{user}:{password}") if user else url, what)

    def store(self, what, text):
        self.secrets.put_secret_value(SecretId=f"totesys-{self.environment}/{what}", SecretString=text)

    def with_source_role(self):
        """Let the extraction log in as the role that docs/sql makes."""
        script = (ROOT / "docs" / "sql" / "create_source_role.sql").read_text().replace("totesys_extract", self.role)
        self.in_source(script, f"alter role {self.role} password 'pw'")
        self.store("source", self.login("source", self.role))

    def with_warehouse_role(self):
        """Let the load log in as the role that the script makes."""
        self.in_warehouse("revoke create on schema public from public", render(Naming("public", "etl"), self.role))
        self.in_warehouse(f"alter role {self.role} password 'pw'")
        self.store("warehouse", self.login("warehouse", self.role))

    def in_source(self, *statements):
        _execute(self.pipeline.source_url, statements)

    def in_warehouse(self, *statements):
        _execute(self.pipeline.warehouse_url, statements)

    def platform(self, **settings):
        given = Settings(environment=self.environment, **{**self.settings, **settings})

        def client(service, region=None):
            return boto3.client(service, region_name=region)

        return Platform(given, client, ACCOUNT, REGION)

    def source(self, **settings):
        return list(check_source(self.platform(**settings)))

    def warehouse(self, **settings):
        return list(check_warehouse(self.platform(**settings)))


def _execute(url, statements):
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def deployment(pipeline):
    made = Deployment(pipeline)
    yield made
    for url in (pipeline.source_url, pipeline.warehouse_url):
        with psycopg.connect(url) as connection:
            if connection.execute("select from pg_roles where rolname = %s", (made.role,)).fetchone():
                connection.execute(f"drop owned by {made.role} cascade")
                connection.execute(f"drop role {made.role}")


def test_the_documented_role_of_the_source_is_all_right(deployment):
    deployment.with_source_role()
    found = deployment.source()
    assert kinds(found) == []
    assert "a primary, wal_level" in texts(found) and "without TLS" in texts(found)


#: What somebody does, how it is undone, what is found, and words of it.
IN_SOURCE = [
    (
        *("revoke select on payment, staff from {role}", "grant select on payment, staff to {role}"),
        *([Kind.SOURCE_GRANT], "GRANT SELECT ON public.payment, public.staff"),
    ),
    (
        *("revoke usage on schema public from {role}, public", "grant usage on schema public to {role}, public"),
        *([Kind.SOURCE_GRANT], "GRANT USAGE ON SCHEMA public"),
    ),
    (
        *("alter table payment enable row level security", "alter table payment disable row level security"),
        *([Kind.SOURCE_ROWS_HIDDEN], "rows of payment"),
    ),
    (
        *("alter table payment rename column paid to x", "alter table payment rename column x to paid"),
        *([Kind.SOURCE_SCHEMA], "payment.paid is missing"),
    ),
    (
        "revoke execute on function pg_control_system() from public",
        "grant execute on function pg_control_system() to public",
        *([Kind.SOURCE_IDENTITY], "refuses pg_control_system()."),
    ),
    (
        "revoke execute on function pg_walfile_name(pg_lsn) from public",
        "grant execute on function pg_walfile_name(pg_lsn) to public",
        *([Kind.SOURCE_IDENTITY], "pg_walfile_name()"),
    ),
    ("alter role {role} connection limit 3", "select 1", [Kind.SOURCE_CONNECTIONS], "3 connections"),
    ("alter role {role} connection limit 4", "select 1", [], "wal_level"),
    ("alter role {role} reset default_transaction_read_only", "select 1", [Kind.SOURCE_MAY_WRITE], "read_only = on"),
]


def test_what_is_wrong_in_the_source_is_named(deployment):
    deployment.with_source_role()
    for statement, undo, expected, words in IN_SOURCE:
        deployment.in_source(statement.format(role=deployment.role))
        found = deployment.source()
        assert kinds(found) == expected and words in texts(found), statement
        assert deployment.role not in texts(found)
        deployment.in_source(undo.format(role=deployment.role))


def test_another_schema_of_the_source_is_looked_at(deployment):
    deployment.in_source('create schema "Shop"', 'alter table payment set schema "Shop"')
    found = deployment.source(source_schema="Shop")
    assert Kind.SOURCE_SCHEMA in kinds(found) and "table staff is missing" in texts(found)
    assert "table payment is missing" not in texts(found)


def _unreachable(deployment):
    return json.dumps({**json.loads(deployment.login("source")), "port": 1})


def test_a_source_that_is_not_reached_is_told_without_host_or_login(deployment):
    login = deployment.login("source")
    network = {"vpc_id": "vpc-00000001", "subnet_ids": "subnet-00000001", "security_group_ids": "sg-00000001"}
    for text, settings, expected in (
        (deployment.login("source", "postgres", "hunter2"), {}, Kind.LOGIN_REFUSED),
        (_unreachable(deployment), {}, Kind.NOT_REACHED),
        (_unreachable(deployment), network, Kind.NOT_REACHED_FROM_HERE),
        (login.replace("db_", "no_db_"), {}, Kind.NOT_REACHED),
        (login, {"source_tls": "verify-full"}, Kind.TLS_REFUSED),
        ("{}", {}, Kind.LOGIN_NOT_STORED),
    ):
        deployment.store("source", text)
        found = deployment.source(**settings)
        assert kinds(found) == [expected]
        assert not [word for word in ("hunter2", "127.0.0.1", "secret-source", "postgres:") if word in texts(found)]
        assert ("vpc-00000001" in texts(found)) == (expected is Kind.NOT_REACHED_FROM_HERE)


def test_a_server_that_is_too_old_is_told(deployment, monkeypatch):
    monkeypatch.setattr(source, "LEAST_VERSION", 99_00_00)
    monkeypatch.setattr(warehouse, "LEAST_VERSION", 99_00_00)
    assert kinds(deployment.source()) == [Kind.SOURCE_VERSION]
    assert kinds(deployment.warehouse()) == [Kind.WAREHOUSE_VERSION]


@pytest.mark.parametrize(("seconds", "expected"), [(-90, 1), (90, 1), (-30, 0), (30, 0)])
def test_a_clock_that_differs_is_told_either_way(monkeypatch, seconds, expected):
    monkeypatch.setattr(database, "row", lambda *_: (datetime.now(UTC) + timedelta(seconds=seconds),))
    assert kinds(database.clock(None, "source")) == [Kind.CLOCKS_DIFFER] * expected


def test_standbys_are_told():
    assert kinds(standby_findings(is_standby=True, has_feedback=False)) == [Kind.SOURCE_STANDBY]
    assert kinds(standby_findings(is_standby=True, has_feedback=True)) == []
    assert kinds(standby_findings(is_standby=False, has_feedback=False)) == []
    assert kinds(writable_findings(is_standby=True, is_read_only=False)) == [Kind.WAREHOUSE_READ_ONLY]
    assert kinds(writable_findings(is_standby=False, is_read_only=False)) == []


def test_an_empty_warehouse_is_all_right_and_stays_empty(deployment):
    assert kinds(deployment.warehouse()) == []
    tables = "select count(*) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
    assert deployment.pipeline.warehouse(tables) == [(0,)]
    assert deployment.pipeline.warehouse("select to_regnamespace('etl')") == [(None,)]


def test_nothing_can_be_changed_while_looking(deployment):
    refused = pytest.raises(psycopg.errors.ReadOnlySqlTransaction)
    with (
        closing(psycopg.connect(deployment.pipeline.source_url)) as connection,
        refused,
        database.looking(connection) as looked,
    ):
        looked.execute("delete from payment")


IN_WAREHOUSE = [
    ("select 1", "select 1", [], "lets the load make"),
    (
        *("revoke update on dim_staff from {role}", "grant update on dim_staff to {role}"),
        *([Kind.WAREHOUSE_GRANT], "UPDATE on dim_staff"),
    ),
    (
        *("revoke usage on schema public from {role}, public", "grant usage on schema public to {role}"),
        *([Kind.WAREHOUSE_GRANT], "USAGE on schema public"),
    ),
    (
        *("revoke create on schema etl from {role}", "grant create on schema etl to {role}"),
        *([Kind.WAREHOUSE_GRANT], "CREATE on schema etl"),
    ),
    (
        *("alter table dim_staff rename email_address to x", "alter table dim_staff rename x to email_address"),
        *([Kind.WAREHOUSE_SCHEMA], "dim_staff.email_address is missing"),
    ),
    (
        "alter role {role} set default_transaction_read_only = on",
        "alter role {role} reset default_transaction_read_only",
        *([Kind.WAREHOUSE_READ_ONLY], "read_only is on"),
    ),
    (
        *("alter table dim_design rename to x", "alter table x rename to dim_design"),
        *([Kind.WAREHOUSE_GRANT], "CREATE on schema public (tables that are missing: dim_design)"),
    ),
    ("drop schema etl", "select 1", [Kind.WAREHOUSE_GRANT], "CREATE on the database (for schema etl"),
]


def test_what_is_wrong_in_a_prepared_warehouse_is_named(deployment):
    deployment.with_warehouse_role()
    for statement, undo, expected, words in IN_WAREHOUSE:
        deployment.in_warehouse(statement.format(role=deployment.role))
        found = deployment.warehouse()
        assert kinds(found) == expected and words in texts(found), statement
        assert deployment.role not in texts(found)
        deployment.in_warehouse(undo.format(role=deployment.role))


def test_temporary_tables_must_be_allowed(deployment):
    deployment.with_warehouse_role()
    name = deployment.pipeline.warehouse_url.rsplit("/", 1)[1]
    deployment.in_warehouse(f"revoke temporary on database {name} from {deployment.role}, public")
    found = deployment.warehouse()
    assert kinds(found) == [Kind.WAREHOUSE_GRANT] and "TEMPORARY" in texts(found)


def test_the_platforms_own_tables_must_be_the_logins(deployment):
    publish_some(FakeLake(deployment.pipeline))
    deployment.pipeline.load()
    deployment.in_warehouse(f"create role {deployment.role} login password 'pw'")
    deployment.in_warehouse(
        f"grant usage, create on schema public, etl to {deployment.role}",
        f"grant all on all tables in schema public, etl to {deployment.role}",
    )
    deployment.store("warehouse", deployment.login("warehouse", deployment.role))
    found = deployment.warehouse()
    assert kinds(found) == [Kind.WAREHOUSE_GRANT] and "ownership of etl.batch;" in texts(found)


class _OfPipeline(Platform):
    """A platform whose buckets are a pipeline's."""

    def bucket(self, name):
        return self.settings.tags[name]


@pytest.fixture
def loaded(deployment, monkeypatch):
    """A warehouse that shows what a lake has published."""
    lake = FakeLake(deployment.pipeline)
    publish_some(lake)
    deployment.pipeline.load()
    tags = {"ingestion": deployment.pipeline.ingestion, "processed": deployment.pipeline.processed}
    plain = deployment.platform(tags=tags)
    deployment.platform = lambda **_: _OfPipeline(plain.settings, plain.client, plain.account, plain.region)
    monkeypatch.setattr(warehouse, "is_deployed", lambda *_: True)
    return deployment


def test_whose_the_ledger_is(loaded):
    drop_column = "alter table dim_staff drop email_address cascade"
    forget_column = "delete from etl.star_column where column_name = 'email_address'"
    for statements, expected in (
        (("select 1",), []),
        (("update etl.owner set lake = 'another'",), [Kind.WAREHOUSE_OWNER]),
        (("delete from etl.owner",), []),
        ((drop_column,), [Kind.WAREHOUSE_SCHEMA]),
        ((forget_column,), []),  # now it is one that the contract has gained: the next load adds it
        (("truncate etl.batch, etl.batch_table, etl.source_deletion",), [Kind.WAREHOUSE_OWNER]),
        (("drop schema etl cascade", "alter table dim_staff add email_address varchar"), [Kind.WAREHOUSE_OWNER]),
    ):
        loaded.in_warehouse(*statements)
        assert kinds(loaded.warehouse()) == expected, statements


def test_a_lake_that_has_published_nothing_finds_a_ledger_that_is_not_empty(loaded, monkeypatch):
    monkeypatch.setattr(warehouse, "is_deployed", lambda *_: False)
    found = loaded.warehouse()
    assert kinds(found) == [Kind.WAREHOUSE_OWNER] and "published nothing yet" in texts(found)
