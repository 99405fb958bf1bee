"""Reaching the source: logins, TLS, time limits, lost connections, and messages that tell no secret."""

import json
from contextlib import closing, contextmanager

import psycopg
import pytest

from lambdas.errors import DatabaseUnreachableError, LoginRefusedError, PrivilegeError, SecretError, SourceReadError
from lambdas.extract.snapshot import open_snapshot
from local.home import ROOT
from local.servers.urls import secret_from_url


def test_the_documented_role_suffices_and_a_missing_grant_is_named(pipeline):
    script = (ROOT / "docs" / "sql" / "create_source_role.sql").read_text()
    with pipeline.source() as connection:
        connection.execute(script)
        connection.execute("alter role totesys_extract password 'pw'")
        connection.execute("revoke select on payment from totesys_extract")
    try:
        _store(pipeline, pipeline.source_url.replace("postgres:secret-source", "totesys_extract:pw"))
        with pytest.raises(PrivilegeError, match="table payment"):
            pipeline.extract()
        with pipeline.source() as connection:
            connection.execute("grant select on payment to totesys_extract")
        assert pipeline.extract()["batch"] == 1
    finally:
        with pipeline.source() as connection:
            connection.execute("drop owned by totesys_extract")
            connection.execute("drop role totesys_extract")


def _store(pipeline, url):
    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets["source"], SecretString=secret_from_url(url, "source")
    )


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("secret-source", "hunter2"), LoginRefusedError),
        (("/db_", "/no_db_"), DatabaseUnreachableError),
        (("127.0.0.1:", "127.0.0.1:1"), DatabaseUnreachableError),
    ],
)
def test_g12_a_connection_that_fails_is_explained_without_secret_or_host(
    pipeline, change, error, caplog, capsys, monkeypatch
):
    monkeypatch.setattr("lambdas.database.PAUSE_SECONDS", 0)
    before, after = change
    url = pipeline.source_url.replace(before, after)
    if after.endswith(":1"):
        url = pipeline.source_url.rsplit(":", 1)[0] + ":1/" + url.rsplit("/", 1)[1]
    _store(pipeline, url)
    with pytest.raises(error, match=pipeline.secrets["source"]) as refused:
        pipeline.extract()
    shown = str(refused.value) + caplog.text + capsys.readouterr().out
    assert not [word for word in ("hunter2", "secret-source", "127.0.0.1") if word in shown]
    assert refused.value.__cause__ is None and refused.value.__suppress_context__


def test_tls_is_demanded_unless_a_setting_says_otherwise(pipeline, monkeypatch):
    monkeypatch.delenv("SOURCE_TLS")
    with pytest.raises(DatabaseUnreachableError, match="verify-full"):
        pipeline.extract()


def test_a_certificate_authority_can_come_with_the_secret(pipeline, monkeypatch):
    monkeypatch.setenv("SOURCE_TLS", "verify-ca")
    details = json.loads(secret_from_url(pipeline.source_url, "source"))
    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets["source"], SecretString=json.dumps({**details, "ca_certificate": "no certificate"})
    )
    with pytest.raises(SecretError, match=r"ca_certificate: .*no certificate in PEM form"):
        pipeline.extract()


def test_a_malformed_secret_stops_before_the_source_is_asked(pipeline):
    pipeline.servers.client("secretsmanager").put_secret_value(SecretId=pipeline.secrets["source"], SecretString="{}")
    with pytest.raises(SecretError, match="host"):
        pipeline.extract()


def test_waiting_for_a_lock_ends_and_is_explained(pipeline, monkeypatch):
    monkeypatch.setenv("LOCK_TIMEOUT_SECONDS", "1")
    with psycopg.connect(pipeline.source_url) as locking:
        locking.execute("lock table payment in access exclusive mode")
        with pytest.raises(SourceReadError, match="table payment"):
            pipeline.extract()
    assert pipeline.extract()["batch"] == 1


@contextmanager
def _snapshot(pipeline, seconds=9):
    with (
        closing(psycopg.connect(pipeline.source_url)) as connection,
        open_snapshot(
            connection, schema="public", lease=1, statement_timeout_seconds=seconds, lock_timeout_seconds=1
        ) as snapshot,
    ):
        yield connection, snapshot


def test_a_statement_that_takes_too_long_ends_and_is_explained(pipeline):
    with pytest.raises(SourceReadError, match="57014"), _snapshot(pipeline, seconds=1) as (connection, _):
        connection.execute("select pg_sleep(5)")


def test_a_lost_connection_is_explained(pipeline):
    with pytest.raises(SourceReadError, match="No batch was committed"), _snapshot(pipeline) as (connection, snapshot):
        with pipeline.source() as other:
            other.execute("select pg_terminate_backend(%s)", (connection.info.backend_pid,))
        snapshot.position()


def test_the_transaction_is_read_only(pipeline):
    with pytest.raises(SourceReadError, match="25006"), _snapshot(pipeline) as (connection, _):
        connection.execute("delete from payment")
