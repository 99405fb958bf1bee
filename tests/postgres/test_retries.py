"""What passes by itself is tried again: locks that others hold, sessions that are ended, servers that restart."""

import threading
import time

import psycopg
import pytest

from lambdas.errors import DatabaseUnreachableError, WarehouseBusyError, WarehouseWriteError
from lambdas.load import session
from lambdas.load.warehouse.gateway import Warehouse
from tests.support.lake import FakeLake
from tests.support.publications import publish_some, use_warehouse


@pytest.fixture
def lake(pipeline):
    lake = FakeLake(pipeline)
    publish_some(lake)
    pipeline.load()
    lake.publish({"dim_staff": [(1, "Ann", "Jones", "Sales", None, "a@x")]})
    return lake


def test_g3_a_lock_that_somebody_holds_is_waited_for_again_and_again(pipeline, lake, monkeypatch):
    monkeypatch.setenv("LOCK_TIMEOUT_SECONDS", "1")
    with psycopg.connect(pipeline.warehouse_url) as other:
        other.execute("lock table dim_staff in share mode")
        threading.Timer(2.5, other.rollback).start()
        started = time.monotonic()
        assert pipeline.load()["loaded"] == [4]
        assert time.monotonic() - started > 2


def test_g3_a_lock_that_is_never_given_back_is_told(pipeline, lake, monkeypatch):
    monkeypatch.setenv("LOCK_TIMEOUT_SECONDS", "1")
    monkeypatch.setattr(session, "ATTEMPTS", 2)
    with psycopg.connect(pipeline.warehouse_url) as other:
        other.execute("lock table dim_staff in share mode")
        with pytest.raises(WarehouseBusyError, match=r"batch 4: LockNotAvailable \(55P03"):
            pipeline.load()


def test_g3_a_session_that_an_operator_ends_begins_again(pipeline, lake, monkeypatch):
    plain, ended = Warehouse.copy, []

    def copy(self, table, *arguments):
        if not ended:
            ended.append(table)
            with psycopg.connect(pipeline.warehouse_url, autocommit=True) as other:
                other.execute("select pg_terminate_backend(%s)", (self.connection.info.backend_pid,))
        return plain(self, table, *arguments)

    monkeypatch.setattr(Warehouse, "copy", copy)
    assert pipeline.load()["loaded"] == [4] and ended


def test_g3_a_serialization_failure_is_tried_again(pipeline, lake, monkeypatch):
    plain, failed = Warehouse.copy, []

    def copy(self, table, *arguments):
        if len(failed) < 2:
            failed.append(table)
            self.connection.execute("do $$ begin raise serialization_failure; end $$")
        return plain(self, table, *arguments)

    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    monkeypatch.setattr(Warehouse, "copy", copy)
    assert pipeline.load()["loaded"] == [4] and len(failed) == 2


def test_what_does_not_pass_by_itself_is_told_at_once(pipeline, lake, monkeypatch):
    tried = []

    def copy(self, *_):
        tried.append(self)
        self.connection.execute("select 1 / 0")

    monkeypatch.setattr(Warehouse, "copy", copy)
    with pytest.raises(WarehouseWriteError, match="DivisionByZero"):
        pipeline.load()
    assert len(tried) == 1


def test_a_warehouse_that_is_away_is_tried_until_the_time_is_out(pipeline, lake, monkeypatch):
    waits = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    use_warehouse(pipeline, "postgresql://u:p@127.0.0.1:1/nowhere")
    with pytest.raises(DatabaseUnreachableError):
        pipeline.load()
    assert len(waits) == session.ATTEMPTS - 1
    assert all(0 < wait <= 21 for wait in waits) and waits[-1] > waits[0]


def test_a_standby_is_not_written_to(pipeline, lake, monkeypatch):
    """After a failover the old address may answer, and refuse every write."""
    monkeypatch.setattr(session, "ATTEMPTS", 2)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    with psycopg.connect(pipeline.warehouse_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set default_transaction_read_only = on")
    with pytest.raises(DatabaseUnreachableError):
        pipeline.load()


def test_each_publication_tells_what_it_changed_and_when_it_arrived(pipeline, lake, caplog):
    lake.publish({"dim_staff": [(2, "Bob", "Jones", "Sales", None, "b@x"), (3, "Cy", "Jones", "Sales", None, "c@x")]})
    pipeline.load()
    told = [record for record in caplog.records if record.getMessage() == "publication loaded"]
    assert [(record.batch, record.changed) for record in told] == [(4, {"dim_staff": 1}), (5, {"dim_staff": 2})]
    assert all(record.seconds_to_warehouse > 0 for record in told)
