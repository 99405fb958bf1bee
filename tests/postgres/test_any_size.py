"""Publications that are too large for one load: staged in pieces, stopped and killed on the way, visible at once.

The tests make everything too large and pieces small. One takes ``ANY_SIZE_ROWS`` orders and the real sizes: ``make load-any-size``.
"""

import json
import os
import resource
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import replace

import psycopg
import pytest

from contracts.errors import CustodyError
from lambdas.errors import PlatformError, PublicationTooLargeError, ReconciliationError, WarehouseWriteError
from lambdas.load import run, staged_load
from lambdas.load.settings import LoadSettings
from lambdas.load.staged_load import StagedLoad
from lambdas.load.warehouse import foreign_keys, gateway
from lambdas.load.warehouse.gateway import Warehouse
from lambdas.load.warehouse.naming import Naming
from tests.support.faults import Refused, at_statement, cut, kill, read_files_directly, refuse
from tests.support.lake import FakeLake
from tests.support.many_orders import publish_dimensions, publish_orders, star_digest
from tests.support.publications import FOREIGN_KEYS, dump, empty, order, publish_some, use_warehouse
from tools.warehouse_script import render

#: How many orders the test of the whole takes: enough for several pieces.
ROWS = int(os.environ.get("ANY_SIZE_ROWS", "60000"))
STAGED = "select relname from pg_class where relname like 'staged%' and relkind = 'r' and relname <> 'staged_file'"


@pytest.fixture
def lake(pipeline, monkeypatch):
    """Three batches that are published and not loaded."""
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    read_files_directly(pipeline, monkeypatch)
    lake = FakeLake(pipeline)
    publish_some(lake)
    return lake


@pytest.fixture
def small(pipeline, lake, monkeypatch):
    """What a warehouse holds after loads in one piece; it is empty then, and everything counts as too large."""
    pipeline.load()
    found = dump(pipeline.warehouse_url)
    empty(pipeline.warehouse_url)
    _in_pieces(monkeypatch)
    return found


def _in_pieces(monkeypatch):
    monkeypatch.setattr(staged_load, "ROWS_A_SECOND", 0)
    monkeypatch.setattr(staged_load, "PIECE_ROWS", 3)  # a row group has two


def test_a_small_publication_pays_nothing(pipeline, lake, monkeypatch):
    monkeypatch.setattr(StagedLoad, "fill", lambda *_: pytest.fail("it was staged"))
    assert pipeline.load()["loaded"] == [1, 2, 3]


def test_g2_a_load_in_pieces_leaves_what_a_load_in_one_leaves(pipeline, small):
    keys = pipeline.warehouse(FOREIGN_KEYS)
    answer = pipeline.load()
    assert (answer["loaded"], answer["more"]) == ([1, 2, 3], False)
    assert dump(pipeline.warehouse_url) == small
    assert pipeline.warehouse(FOREIGN_KEYS) == keys and len(keys) > 30
    assert pipeline.warehouse(STAGED) == [] and pipeline.warehouse("select count(*) from etl.staged_file") == [(0,)]


def _child(work):
    """Run `work` in a process of its own; return how it ended."""
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_g3_a_load_killed_in_every_piece_goes_on_there_in_the_middle_of_a_file_too(pipeline, small):
    plain, seen = StagedLoad._copy_piece, []

    def die_in_second_piece():
        count = 0

        def copy(self, *arguments):
            nonlocal count
            count += 1
            is_whole = plain(self, *arguments)
            if count == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return is_whole

        StagedLoad._copy_piece = copy
        pipeline.load()

    while (code := _child(die_in_second_piece)) == -signal.SIGKILL:
        last = pipeline.warehouse("select coalesce(max(batch), 0) from etl.batch")[0][0]
        pieces = pipeline.warehouse("select coalesce(sum(row_groups), 0), bool_and(is_whole) from etl.staged_file")[0]
        seen.append((last, *pieces))
        assert pipeline.warehouse("select count(*) from fact_sales_order") == [({0: 0, 1: 5, 2: 7}[last],)]
    assert code == 0
    steps = [(last, groups) for last, groups, _ in seen]
    assert steps == sorted(set(steps)) and len(steps) > 15  # each run came further, by one piece
    assert any(not is_whole for *_, is_whole in seen)
    assert dump(pipeline.warehouse_url) == small


def test_a_load_whose_time_is_over_says_that_there_is_more_and_the_next_one_goes_on(pipeline, small):
    remaining = iter([900] * 6 + [30] * 9)
    answer = run.load(LoadSettings(), lambda: next(remaining))
    assert (answer.loaded, answer.last, answer.more) == ((), 0, True)
    staged = pipeline.warehouse("select count(*) from etl.staged_file")[0][0]
    assert 1 <= staged < 5
    # one transaction too short of time for the exchange: it waits for a load that has all of its time
    remaining = iter([900] + [700] * 100)
    assert run.load(LoadSettings(), lambda: next(remaining)).more
    assert pipeline.warehouse("select count(*) from dim_staff") == [(0,)]
    # nothing is left to be copied, and the exchange is not put off once more
    remaining = iter([900] + [700] * 100)
    assert run.load(LoadSettings(), lambda: next(remaining)).loaded == (1,)
    while pipeline.load()["more"]:
        pass
    assert dump(pipeline.warehouse_url) == small


def test_a_load_that_comes_no_further_does_not_ask_for_another(pipeline, small):
    remaining = iter([900] + [30] * 9)
    answer = run.load(LoadSettings(), lambda: next(remaining))
    assert (answer.loaded, answer.more) == ((), False)


@pytest.mark.parametrize(
    ("fault", "after"),
    [(cut, False), (refuse, True), (kill, False), (kill, True)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_g3_a_fault_at_any_statement_of_a_load_in_pieces(pipeline, monkeypatch, small, fault, after):
    with at_statement(monkeypatch, 0, refuse, after=False) as seen:
        pipeline.load()
    assert len(seen) > 300
    keys = pipeline.warehouse(FOREIGN_KEYS)
    for number in range(1, len(seen) + 1, int(os.environ.get("FAULT_STRIDE", "90"))):
        empty(pipeline.warehouse_url)
        if fault is kill:

            def work(number=number):
                with at_statement(monkeypatch, number, kill, after=after):
                    pipeline.load()

            assert _child(work) == -signal.SIGKILL
        else:
            with at_statement(monkeypatch, number, fault, after=after), suppress(PlatformError, Refused):
                pipeline.load()
        assert pipeline.warehouse(FOREIGN_KEYS) == keys
        pipeline.load()
        assert dump(pipeline.warehouse_url) == small, number


def test_what_was_staged_of_another_publication_or_for_other_columns_is_begun_anew(pipeline, lake, monkeypatch):
    _in_pieces(monkeypatch)
    remaining = iter([900] * 7 + [30] * 9)
    assert run.load(LoadSettings(), lambda: next(remaining)).more
    other = FakeLake(pipeline)
    other.publish(
        {"dim_currency": [(1, "EUR", "Euro"), (2, "USD", "Dollar"), (3, "GBP", "Pound"), (4, "CHF", "Franc")]}
    )
    remaining = iter([900] * 3 + [30] * 9)
    assert run.load(LoadSettings(), lambda: next(remaining)).more
    assert pipeline.warehouse("select row_groups, rows from etl.staged_file") == [(1, 2)]
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("alter table dim_currency alter currency_name type text")
    remaining = iter([900] * 3 + [30] * 9)
    assert run.load(LoadSettings(), lambda: next(remaining)).more
    assert pipeline.warehouse("select row_groups, rows from etl.staged_file") == [(1, 2)]
    assert pipeline.warehouse("select currency_name, pg_typeof(currency_name)::text from etl.staged_dim_currency") == [
        ("Euro", "text"),
        ("Dollar", "text"),
    ]
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("delete from etl.staged_file")  # as the runbook says
    with pytest.raises(CustodyError):  # of batch 2, which is the other lake's
        pipeline.load()
    assert pipeline.warehouse("select count(*) from dim_currency") == [(4,)]


def test_g2_two_loads_that_stage_different_publications_do_not_mix_them(pipeline, lake, monkeypatch):
    _in_pieces(monkeypatch)
    plain = StagedLoad._copy_piece

    def copy(self, *arguments):
        self._run("update etl.staged_file set publication_digest = 'another'")
        return plain(self, *arguments)

    monkeypatch.setattr(StagedLoad, "_copy_piece", copy)
    answer = pipeline.load()
    assert (answer["loaded"], answer["waits"], answer["more"]) == ([], True, False)


def test_g5_files_with_other_rows_than_were_published_are_told_and_not_kept(pipeline, small, lake):
    published = lake.publish({"dim_currency": [(1, "GBP", "Pound"), (2, "USD", "Dollar")]})
    lake.batch -= 1
    table = published.tables["dim_currency"]
    lake.publish({}, dim_currency=replace(table, updated=table.updated + 1))
    with pytest.raises(ReconciliationError, match="Batch 4, table dim_currency: the lake's files hold 2 rows"):
        pipeline.load()
    assert pipeline.warehouse(STAGED) == [] and dump(pipeline.warehouse_url) == small


@pytest.mark.parametrize("way", ["in pieces", "at once"])
def test_g3_a_key_that_is_not_there_is_refused_and_the_keys_stay(pipeline, small, lake, monkeypatch, way):
    """Sales orders are the first ones, so that their foreign keys are checked as a set."""
    if way == "at once":
        monkeypatch.setattr(staged_load, "ROWS_A_SECOND", 10_000)
        monkeypatch.setattr(gateway, "SET_ROWS", 1)
    keys = pipeline.warehouse(FOREIGN_KEYS)
    other = FakeLake(pipeline)
    other.publish({"fact_sales_order": [order(key, 10) for key in range(1, 5)]})
    with pytest.raises(WarehouseWriteError, match=r"ForeignKeyViolation.*fact_sales_order"):
        pipeline.load()
    assert pipeline.warehouse(FOREIGN_KEYS) == keys
    assert pipeline.warehouse("select count(*) from fact_sales_order") == [(0,)]


@pytest.mark.parametrize("way", ["in pieces", "at once"])
def test_foreign_keys_are_taken_off_where_a_table_of_ours_is_empty_and_nowhere_else(pipeline, lake, monkeypatch, way):
    if way == "in pieces":
        _in_pieces(monkeypatch)
    else:
        monkeypatch.setattr(gateway, "SET_ROWS", 2)
    off = []
    plain = foreign_keys._take_off
    monkeypatch.setattr(foreign_keys, "_take_off", lambda *a: off.append(plain(*a)) or off[-1])
    pipeline.load()
    assert off == [True, True]  # sales orders and payments, of the first batch
    lake.list_files()
    pipeline.load({"step": "rebuild"})
    assert off == [True, True, True]  # purchase orders, of which there are none
    empty(pipeline.warehouse_url)
    before = pipeline.warehouse("select oid from pg_constraint where conrelid = 'fact_payment'::regclass order by 1")
    monkeypatch.setattr(foreign_keys, "TRIES", 1)
    with psycopg.connect(pipeline.warehouse_url) as reader:
        reader.execute("select * from dim_currency")  # and its transaction goes on
        assert pipeline.load()["loaded"] == [1, 2, 3]
    assert off[3:5] == [False, False]
    after = pipeline.warehouse("select oid from pg_constraint where conrelid = 'fact_payment'::regclass order by 1")
    assert after == before


def test_foreign_keys_stay_where_few_rows_come(pipeline, lake, monkeypatch):
    monkeypatch.setattr(foreign_keys, "_take_off", lambda *_: pytest.fail("readers would have to wait for a few rows"))
    assert pipeline.load()["loaded"] == [1, 2, 3]


@pytest.mark.parametrize(
    "change",
    [
        "alter table fact_payment add foreign key (payment_id) references dim_transaction not valid",
        "alter table fact_payment alter constraint fact_payment_currency_id_fkey deferrable initially deferred",
        "comment on constraint fact_payment_currency_id_fkey on fact_payment is 'somebody''s'",
    ],
)
def test_foreign_keys_that_would_not_come_back_as_they_were_stay(pipeline, small, change):
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute(change)
    query = "select oid, conname from pg_constraint where conrelid = 'fact_payment'::regclass order by 1"
    before = pipeline.warehouse(query)
    assert pipeline.load()["loaded"] == [1, 2, 3]
    assert pipeline.warehouse(query) == before


def test_tables_of_somebody_elses_are_filled_as_slowly_as_before(pipeline, lake, monkeypatch):
    _in_pieces(monkeypatch)
    role, owner = f"load_{pipeline.database}", pipeline.warehouse_url
    with psycopg.connect(owner) as connection:
        connection.execute("revoke create on schema public from public")
        connection.execute(render(Naming("public", "etl"), role))
        connection.execute(f"alter role {role} password 'pw'")
    use_warehouse(pipeline, owner.replace("postgres:secret-warehouse", f"{role}:pw"))
    monkeypatch.setattr(foreign_keys, "_take_off", lambda *_: pytest.fail("they are somebody else's"))
    assert pipeline.load()["loaded"] == [1, 2, 3]


def test_an_exchange_that_does_not_fit_says_what_to_do_and_keeps_what_is_staged(pipeline, small, monkeypatch):
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute(
            "create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(3); return new; end'"
        )
        connection.execute("create trigger slow before insert on dim_staff for each row execute function slow()")
    with monkeypatch.context() as patch:
        patch.setattr(staged_load, "TELLING_SECONDS", 10_000)
        with pytest.raises(
            PublicationTooLargeError, match=r"Batch 1 has 24 rows.*schema etl.*longer than the 1 seconds"
        ):
            pipeline.load()
    assert pipeline.warehouse("select count(*) from dim_staff") == [(0,)]
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("drop trigger slow on dim_staff")
    with monkeypatch.context() as patch:
        patch.setattr(StagedLoad, "_copy_piece", lambda *_: pytest.fail("it is staged"))
        with suppress(pytest.fail.Exception):
            pipeline.load()
    assert pipeline.warehouse("select max(batch) from etl.batch") == [(1,)]
    pipeline.load()
    assert dump(pipeline.warehouse_url) == small


@contextmanager
def _reader(url, path):
    """Read, all along, how many orders there are and the newest batch, in a process of its own; yield what it has seen."""
    statement = "select (select count(*) from fact_sales_order), (select coalesce(max(batch), 0) from etl.batch)"
    seen = []
    child = os.fork()
    if not child:
        with psycopg.connect(url, autocommit=True) as connection, path.open("w") as file:
            while True:
                started = time.monotonic()
                file.write(json.dumps([*connection.execute(statement).fetchone(), time.monotonic() - started]) + "\n")
                file.flush()
                time.sleep(0.02)
    try:
        yield seen
    finally:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        seen += [json.loads(line) for line in path.read_text().splitlines()]


def test_g3_a_publication_of_any_size_loads_by_itself_and_is_visible_at_once(pipeline, monkeypatch, capsys, tmp_path):
    """Its time is 20 seconds. A load is killed while it stages, another one in the exchange; a reader looks all along."""
    read_files_directly(pipeline, monkeypatch)
    lake = FakeLake(pipeline)
    publish_dimensions(lake, tmp_path)
    assert pipeline.load()["loaded"] == [1]
    publish_orders(lake, ROWS, tmp_path)
    monkeypatch.setenv("LOAD_SECONDS", "20")
    monkeypatch.setattr(staged_load, "PIECE_ROWS", min(staged_load.PIECE_ROWS, ROWS // 8))
    plain, append, answers = StagedLoad._copy_piece, Warehouse.append_staged, tmp_path / "answers"

    def load(*, kill_in_piece=0, kill_in_exchange=False):
        count = 0

        def copy(self, *arguments):
            nonlocal count
            count += 1
            is_whole = plain(self, *arguments)
            if count == kill_in_piece:
                os.kill(os.getpid(), signal.SIGKILL)
            return is_whole

        def bring(self, *arguments):
            received = append(self, *arguments)
            if kill_in_exchange:
                os.kill(os.getpid(), signal.SIGKILL)
            return received

        StagedLoad._copy_piece, Warehouse.append_staged = copy, bring
        started = time.monotonic()
        answer = pipeline.load() | {"took": round(time.monotonic() - started, 2)}
        answer["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        with answers.open("a") as file:
            file.write(json.dumps(answer) + "\n")

    ends, more = [], True
    with _reader(pipeline.warehouse_url, tmp_path / "seen") as seen:
        ends.append(_child(lambda: load(kill_in_piece=4)))
        while (code := _child(lambda: load(kill_in_exchange=True))) == 0:  # staging may take several
            ends.append(code)
        ends.append(code)
        while more:  # as the state machine does
            ends.append(_child(load))
            assert ends[-1] == 0
            more = json.loads(answers.read_text().splitlines()[-1])["more"]
    assert ends[0] == -signal.SIGKILL and ends.count(-signal.SIGKILL) == 2 == len(ends) - ends.count(0)
    states = [tuple(look[:2]) for look in seen]
    assert set(states) == {(0, 1), (ROWS, 2)} and states == sorted(states)
    assert pipeline.warehouse(STAGED) == []
    told = [json.loads(line) for line in answers.read_text().splitlines()]
    found = star_digest(pipeline.warehouse_url)
    use_warehouse(pipeline, pipeline.servers.create_database(pipeline.servers.warehouse))
    monkeypatch.setattr(staged_load, "ROWS_A_SECOND", 10**9)
    monkeypatch.delenv("LOAD_SECONDS")
    started = time.monotonic()
    assert pipeline.load()["loaded"] == [1, 2]
    whole = time.monotonic() - started
    assert star_digest(pipeline.warehouse_url) == found and found["fact_sales_order"][0] == ROWS
    with capsys.disabled():
        print(
            f"\n{ROWS:,} orders: loads ended {ends}; seconds of the others {[t['took'] for t in told]}; peak "
            f"{max(t['peak'] for t in told)} MiB; {len(seen)} looks saw {sorted(set(states))}, the slowest took "
            f"{max(s for *_, s in seen):.2f} s; one piece takes {whole:.1f} s; the star tables are equal."
        )
