"""Loads that wait for others, others that wait for a load that died, and poolers between them."""

import os
import signal
import time
from contextlib import contextmanager

import psycopg
import pytest

from contracts.protocol.object_layout import load_key
from lambdas.errors import WarehouseBusyError
from lambdas.load import run, session
from lambdas.load.rebuild import LOCK as REBUILD_LOCK
from lambdas.load.warehouse.gateway import LOCK, Warehouse
from lambdas.load.warehouse.limits import Limits
from tests.support.lake import FakeLake
from tests.support.publications import publish_some


@pytest.fixture
def lake(pipeline, monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    lake = FakeLake(pipeline)
    publish_some(lake)
    pipeline.load()
    lake.publish({"dim_staff": [(1, "Ann", "Jones", "Sales", None, "a@x")]})
    return lake


@contextmanager
def _another_load(pipeline, monkeypatch, lock=LOCK):
    """Somebody loads for longer than a load waits."""
    monkeypatch.setenv("LOCK_TIMEOUT_SECONDS", "1")
    monkeypatch.setattr(session, "ATTEMPTS", 2)
    with psycopg.connect(pipeline.warehouse_url) as other:
        other.execute("select pg_advisory_xact_lock(%s)", (lock,))
        yield


def test_g2_a_load_behind_another_one_ends_well_and_says_that_it_waits(pipeline, lake, monkeypatch, caplog):
    with _another_load(pipeline, monkeypatch):
        outcome = pipeline.load()
    assert (outcome["loaded"], outcome["last"], outcome["waits"]) == ([], 3, True)
    assert outcome["freshness"] > 0
    assert ("WARNING", "another load is at work") in [(r.levelname, r.getMessage()) for r in caplog.records]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert pipeline.keys(pipeline.processed, "loads/") == [load_key(3)]
    outcome = pipeline.load()
    assert (outcome["loaded"], outcome["last"], outcome["waits"]) == ([4], 4, False)


def test_g2_a_load_that_waits_before_it_has_seen_a_ledger_confirms_nothing(pipeline, monkeypatch):
    """The other load is making the tables of a new warehouse."""
    FakeLake(pipeline).publish({})
    with _another_load(pipeline, monkeypatch):
        outcome = pipeline.load()
    assert (outcome["loaded"], outcome["last"], outcome["waits"]) == ([], 0, True)
    assert pipeline.keys(pipeline.processed, "loads/") == []


@pytest.mark.parametrize("lock", [LOCK, REBUILD_LOCK], ids=["load", "rebuild"])
def test_g11_a_rebuild_behind_another_work_is_not_done_and_no_error(pipeline, lake, monkeypatch, lock):
    lake.list_files()
    with _another_load(pipeline, monkeypatch, lock):
        outcome = pipeline.load({"step": "rebuild"})
    assert (outcome["done"], outcome["waits"]) == (False, True)
    assert pipeline.load({"step": "rebuild"})["last"] == 4


def test_a_table_that_somebody_else_holds_is_an_error_as_before(pipeline, lake, monkeypatch):
    monkeypatch.setenv("LOCK_TIMEOUT_SECONDS", "1")
    monkeypatch.setattr(session, "ATTEMPTS", 2)
    with psycopg.connect(pipeline.warehouse_url) as other:
        other.execute("lock table dim_staff in share mode")
        with pytest.raises(WarehouseBusyError, match="LockNotAvailable"):
            pipeline.load()


def test_g3_a_load_that_stands_still_with_the_lock_is_given_up(pipeline, lake, monkeypatch):
    """Stopped, its connection stays open: no keepalive tells the server."""
    monkeypatch.setenv("IDLE_SECONDS", "1")
    monkeypatch.setenv("LOCK_TIMEOUT_SECONDS", "20")
    monkeypatch.setattr(session, "ATTEMPTS", 1)
    child = os.fork()
    if not child:
        Warehouse.copy = lambda *_: os.kill(os.getpid(), signal.SIGSTOP)
        pipeline.load()
        os._exit(0)
    try:
        assert os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1])
        started = time.monotonic()
        assert pipeline.load()["loaded"] == [4]
        assert time.monotonic() - started < 20
    finally:
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@contextmanager
def _watched(monkeypatch):
    """What the load's connections were opened with, and what they leave prepared."""
    seen = []
    plain = session.open_warehouse

    @contextmanager
    def watched(settings):
        with plain(settings) as warehouse:
            yield warehouse
            prepared = warehouse.connection.execute("select count(*) from pg_prepared_statements").fetchone()[0]
            seen.append((warehouse.connection.info.get_parameters(), prepared))

    with monkeypatch.context() as patch:
        patch.setattr(run, "open_warehouse", watched)
        yield seen


def test_a_pooler_that_shares_sessions_out_by_transactions_is_no_obstacle(pipeline, lake, monkeypatch):
    for number in range(6):  # psycopg would prepare what it executes for the sixth time
        lake.publish({"dim_staff": [(1, "Ann", str(number), "Sales", None, "a@x")]})
    lake.list_files()
    with _watched(monkeypatch) as seen:
        assert pipeline.load()["loaded"] == [*range(4, 11)]
        pipeline.load({"step": "rebuild"})
    assert len(seen) == 2
    for parameters, prepared in seen:
        assert "options" not in parameters and parameters["target_session_attrs"] == "read-write"
        assert prepared == 0


def test_limits_hold_in_the_outermost_transaction_and_end_with_it(pipeline, lake):
    names = [*Limits(7, 9).settings(18_00_00)]
    query = "select " + ", ".join(f"current_setting('{name}')" for name in names)
    with psycopg.connect(pipeline.warehouse_url, autocommit=True) as connection:
        before = connection.execute(query).fetchone()
        warehouse = Warehouse(connection, run.LoadSettings().naming, Limits(7, 9))
        with warehouse.transaction("all of it"):
            assert connection.execute(query).fetchone() == ("7s", "9s", "30", "10", "3", "60000")
            with warehouse.transaction("a part of it"):
                connection.execute("set local lock_timeout = '3s'")
            assert connection.execute("show lock_timeout").fetchone() == ("3s",)
        assert connection.execute(query).fetchone() == before


def test_a_server_that_knows_no_limit_of_unacknowledged_data_is_not_asked_for_it():
    assert "tcp_user_timeout" not in Limits(7, 9).settings(11_00_22)
    assert Limits(7, 9).settings(12_00_00)["tcp_user_timeout"] == "60s"
