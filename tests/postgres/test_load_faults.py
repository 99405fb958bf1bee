"""Loads that are killed, cut off, refused or repeated at any statement, and many at once.

``FAULT_STRIDE`` says at every how many statements a fault strikes; ``make load-faults`` strikes at each.
"""

import functools
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date, datetime
from decimal import Decimal

import boto3
import psycopg
import pytest
from pyarrow import fs

from contracts.star import HISTORIES, STAR_TABLES
from lambdas.errors import PlatformError
from lambdas.load.lake import LakeFiles
from local.aws import ACCOUNT
from tests.support.lake import FakeLake

DAY, NEXT = date(2024, 1, 1), date(2024, 1, 2)
TIME = "08:00:00.000"


def day(d):
    return (d, d.year, d.month, d.day, d.isoweekday(), "Day", "January", 1)


def order(key, units, *, on=DAY):
    return (key, on, TIME, on, TIME, 1, 1, units, Decimal("2.50"), 1, 1, on, on, 1)


def payment(key, paid):
    return (key, DAY, TIME, DAY, TIME, key, 1, Decimal("-12345678.90"), 1, 1, paid, NEXT)


def publish_some(lake):
    """Three batches: everything, changes with a new dimension row, deletions with a row that came back."""
    dimensions = {
        "dim_date": [day(DAY), day(NEXT)],
        "dim_staff": [(1, "Ann", "O'Keefe", "Sales", None, "a@x")],
        "dim_location": [(1, "1, High St", None, "", "Leds", "01234", "Mali", "1")],
        "dim_currency": [(1, "GBP", "Pound Sterling")],
        "dim_design": [(1, "Tote", "/x", "1.json")],
        "dim_counterparty": [(1, "X", "1", None, None, "Y", "0", "Mali", "1")],
        "dim_payment_type": [(1, "SALES_RECEIPT")],
    }
    history = {"dim_staff_history": [(1, "Ann", "O'Keefe", "Sales", None, "a@x", moment(1), None, True)]}
    keys = range(1, 6)
    lake.publish(
        {
            **dimensions,
            "dim_transaction": [(key, "SALE", key, None) for key in keys],
            "fact_sales_order": [order(key, 10) for key in keys],
            "fact_payment": [payment(key, False) for key in keys],
            **history,
        }
    )
    lake.publish(
        {
            "dim_staff": [(1, "Ann", "Smith", "Sales", None, "a@x"), (2, "Bö", "", "HR", "", 'b,\n"x"')],
            "fact_sales_order": [order(1, 11), order(6, 5, on=NEXT)],
            "fact_payment": [payment(2, True)],
            "dim_staff_history": [
                (1, "Ann", "O'Keefe", "Sales", None, "a@x", moment(1), moment(2), False),
                (1, "Ann", "Smith", "Sales", None, "a@x", moment(2), None, True),
                (2, "Bö", "", "HR", "", 'b,\n"x"', moment(2), None, True),
            ],
        }
    )
    lake.publish(
        {"fact_sales_order": [order(2, 12)]},
        deleted={"sales_order": [3], "transaction": [3], "payment": [3]},
    )


def moment(number):
    return datetime(2024, 1, number, 12, 0, 0, 123456)


OWN = ["batch_table", "source_deletion", *(table.name for table in HISTORIES.values())]
SHOWN = ("current_sales_order", "current_payment", "history_sales_order", "history_staff")


def dump(url):
    """A digest of the ordered rows of everything that a load writes; the time at which it did so left out."""
    selects = {
        name: f"select t::text from {name} t" for name in (*STAR_TABLES, *(f"etl.{name}" for name in OWN), *SHOWN)
    }
    selects["etl.batch"] = "select (batch, snapshot_time, published_at)::text as t from etl.batch"
    statement = " union all ".join(
        f"select '{name}', count(*), md5(string_agg(t, e'\\n' order by t collate \"C\")) from ({select}) r(t)"
        for name, select in selects.items()
    )
    with psycopg.connect(url) as connection:
        return {name: (count, digest) for name, count, digest in connection.execute(statement).fetchall()}


@contextmanager
def _at_statement(monkeypatch, number, fault, *, after):
    """Let `fault` happen at one exchange with the server: before it, or after it. Yields the number of exchanges."""
    seen = []
    plain = psycopg.Connection.wait

    def wait(connection, generator, *arguments, **options):
        if connection.info.parameter_status("application_name") != "totesys-load":
            return plain(connection, generator, *arguments, **options)
        seen.append(connection)
        strikes = len(seen) == number
        if strikes and not after:
            fault(connection)
        answer = plain(connection, generator, *arguments, **options)
        if strikes and after:
            fault(connection)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "wait", wait)
        yield seen


def _cut(connection):
    socket.socket(fileno=os.dup(connection.fileno())).shutdown(socket.SHUT_RDWR)


def _kill(_):
    os.kill(os.getpid(), signal.SIGKILL)


class Refused(psycopg.DataError):
    """An error of SQL."""


def _refuse(_):
    raise Refused("injected")


@pytest.fixture
def published(pipeline, monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    # what has nothing to do with statements, and would take most of the time
    files = fs.SubTreeFileSystem(str(pipeline.servers.home.s3 / ACCOUNT), fs.LocalFileSystem())
    monkeypatch.setattr(LakeFiles, "open", classmethod(lambda cls, bucket: cls(files, bucket)))
    monkeypatch.setattr(boto3, "client", functools.cache(boto3.client))
    lake = FakeLake(pipeline)
    publish_some(lake)
    pipeline.load()
    return dump(pipeline.warehouse_url)


def _numbers(pipeline, monkeypatch):
    """The exchanges with the server of a load of everything at which a fault strikes: all of them, or every so many."""
    _empty(pipeline)
    with _at_statement(monkeypatch, 0, _refuse, after=False) as seen:
        pipeline.load()
    assert len(seen) > 100
    return range(1, len(seen) + 1, int(os.environ.get("FAULT_STRIDE", "12")))


def _empty(pipeline):
    with psycopg.connect(pipeline.warehouse_url) as connection:
        for name in ("etl.verification", *(f"etl.{name}" for name in OWN), "etl.batch", *reversed(STAR_TABLES)):
            connection.execute(f"delete from {name}")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fault", [_cut, _refuse], ids=["cut", "refused"])
def test_g3_a_fault_at_any_statement_leaves_what_the_next_load_completes(
    pipeline, monkeypatch, published, fault, after
):
    numbers = _numbers(pipeline, monkeypatch)
    fired = 0
    for number in numbers:
        _empty(pipeline)
        with _at_statement(monkeypatch, number, fault, after=after) as seen, suppress(PlatformError, Refused):
            pipeline.load()
        fired += len(seen) >= number
        pipeline.load()
        assert dump(pipeline.warehouse_url) == published, number
    assert fired == len(numbers)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_g3_a_load_killed_at_any_statement_leaves_what_the_next_load_completes(pipeline, monkeypatch, published, after):
    numbers = _numbers(pipeline, monkeypatch)
    killed = 0
    for number in numbers:
        _empty(pipeline)
        child = os.fork()
        if not child:
            with _at_statement(monkeypatch, number, _kill, after=after):
                pipeline.load()
            os._exit(0)
        killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        pipeline.load()
        assert dump(pipeline.warehouse_url) == published, number
    assert killed == len(numbers)


def test_g2_twenty_loads_at_once_load_each_publication_once_and_in_order(pipeline, published):
    _empty(pipeline)
    with ThreadPoolExecutor(20) as pool:
        outcomes = [future.result() for future in [pool.submit(pipeline.load) for _ in range(20)]]
    assert sorted(batch for outcome in outcomes for batch in outcome["loaded"]) == [1, 2, 3]
    assert dump(pipeline.warehouse_url) == published
    assert pipeline.warehouse("select batch from etl.batch order by loaded_at") == [(1,), (2,), (3,)]
