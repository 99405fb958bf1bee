"""The warehouse made anew: equal to the loaded one, killed on the way, beside loads, and under the eyes of a reader."""

import os
import signal
import threading

import psycopg
import pytest

from contracts.errors import CustodyError
from contracts.protocol.steps import RebuildAnswer
from contracts.tables.star import STAR_TABLES
from lambdas.errors import ListingMissingError
from lambdas.load import run
from lambdas.load.rebuild import Rebuild
from lambdas.load.settings import LoadSettings
from tests.support.lake import FakeLake
from tests.support.publications import dump, empty, order, payment, publish_some, use_warehouse


@pytest.fixture
def lake(pipeline):
    lake = FakeLake(pipeline)
    publish_some(lake)
    pipeline.load()
    # what is deleted and comes back, and is deleted again
    lake.publish({"dim_transaction": [(3, "SALE", 3, None)], "fact_sales_order": [order(3, 10)]})
    lake.publish({"fact_payment": [payment(3, True)]}, deleted={"sales_order": [3, 4]})
    lake.publish({"fact_sales_order": [order(4, 77)]})
    pipeline.load()
    lake.list_files()
    return lake


def _rebuild(pipeline):
    return pipeline.load({"step": "rebuild"})


def test_g11_a_dropped_warehouse_is_rebuilt_as_it_was(pipeline, lake):
    before = dump(pipeline.warehouse_url)
    use_warehouse(pipeline, pipeline.servers.create_database(pipeline.servers.warehouse))
    assert _rebuild(pipeline)["last"] == 6
    assert dump(pipeline.warehouse_url) == before
    assert pipeline.load()["loaded"] == []
    lake.publish({"fact_sales_order": [order(1, 100)]})
    assert pipeline.load()["loaded"] == [7]
    left = "select relname from pg_class where relname like 'rebuild%' and relkind = 'r'"
    assert pipeline.warehouse(left) == [("rebuild_file",)]
    assert pipeline.warehouse("select count(*) from etl.rebuild_file") == [(0,)]


def test_g11_values_that_somebody_changed_are_the_lakes_again(pipeline, lake):
    before = dump(pipeline.warehouse_url)
    loaded_at = pipeline.warehouse("select batch, loaded_at from etl.batch order by 1")
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("update fact_sales_order set units_sold = 0, sales_record_id = sales_record_id + 1000")
        connection.execute("update dim_location set city = 'Leeds'")
        connection.execute("insert into dim_staff values (99, 'a', 'a', 'a', 'a', 'a')")
        connection.execute("update fact_payment set counterparty_id = 1")
        connection.execute("delete from etl.source_deletion")
        connection.execute("delete from etl.batch_table where batch = 2")
        connection.execute("create view somebodys as select * from fact_sales_order")
    _rebuild(pipeline)
    assert dump(pipeline.warehouse_url) == before
    assert pipeline.warehouse("select batch, loaded_at from etl.batch order by 1") == loaded_at
    assert pipeline.warehouse("select count(*) from somebodys") == [(10,)]


def test_g11_a_rebuild_killed_at_every_file_goes_on_and_ends(pipeline, lake, monkeypatch):
    before = dump(pipeline.warehouse_url)
    empty(pipeline.warehouse_url)
    plain, copied, runs = Rebuild._copy, [], 0
    while True:
        runs += 1
        child = os.fork()
        if not child:
            count = 0

            def copy(self, table, file, last=runs):
                nonlocal count
                plain(self, table, file)
                count += 1
                if count == last:  # files that are there already count as well
                    os.kill(os.getpid(), signal.SIGKILL)

            Rebuild._copy = copy
            _rebuild(pipeline)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            break
        assert code == -signal.SIGKILL
        copied.append(pipeline.warehouse("select count(*) from etl.rebuild_file")[0][0])
        assert pipeline.warehouse("select count(*) from fact_sales_order") == [(0,)]
    assert copied == [*range(len(copied))] and len(copied) > 10  # each run died before its newest file was committed
    assert dump(pipeline.warehouse_url) == before


def test_g11_a_rebuild_whose_time_runs_out_says_so(pipeline, lake):
    before = dump(pipeline.warehouse_url)
    empty(pipeline.warehouse_url)
    remaining = iter([900] * 4 + [30] * 5)
    assert run.rebuild(LoadSettings(), lambda: next(remaining)) == RebuildAnswer(done=False)
    assert pipeline.warehouse("select count(*) from etl.rebuild_file") == [(3,)]
    # what a crash of the server empties, it empties together with the list of what was copied
    kinds = "select distinct relpersistence::text from pg_class where relname like 'rebuild%' and relkind = 'r'"
    assert pipeline.warehouse(kinds) == [("u",)]
    remaining = iter([900] + [700] * 100)  # the last step waits for an invocation that has all of its time
    assert not run.rebuild(LoadSettings(), lambda: next(remaining)).done
    assert pipeline.warehouse("select count(*) from fact_sales_order") == [(0,)]
    assert _rebuild(pipeline)["done"]
    assert dump(pipeline.warehouse_url) == before


def test_g11_a_rebuild_never_takes_the_warehouse_back(pipeline, lake):
    """Batches that were loaded after the listing are loaded again before anybody sees the rebuilt tables."""
    lake.publish({"fact_sales_order": [order(1, 100)]})
    lake.publish({"dim_staff": [(1, "Ann", "Jones", "Sales", None, "a@x")]})
    pipeline.load()
    before = dump(pipeline.warehouse_url)
    lake.publish({"fact_sales_order": [order(1, 101)]})  # published, and not loaded yet
    assert _rebuild(pipeline)["last"] == 8
    assert dump(pipeline.warehouse_url) == before
    assert pipeline.load()["loaded"] == [9]


def test_g11_a_lake_that_is_behind_the_warehouse_is_refused(pipeline, lake):
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("insert into etl.batch values (7, now(), now())")
    before = dump(pipeline.warehouse_url)
    with pytest.raises(CustodyError, match="would go back"):
        _rebuild(pipeline)
    assert dump(pipeline.warehouse_url) == before


def test_a_listing_that_changed_meanwhile_begins_its_tables_again(pipeline, lake):
    before = dump(pipeline.warehouse_url)
    empty(pipeline.warehouse_url)
    remaining = iter([900] * 13 + [30] * 5)
    assert not run.rebuild(LoadSettings(), lambda: next(remaining)).done
    lake.publish({"dim_staff": [(1, "Ann", "Jones", "Sales", None, "a@x")]})  # rewritten: its file is another
    lake.list_files()
    assert _rebuild(pipeline)["last"] == 7
    after = dump(pipeline.warehouse_url)
    assert {n for n in after if after[n] != before[n]} == {"dim_staff", "etl.batch", "etl.batch_table"}


def test_a_rebuild_that_an_earlier_release_began_is_begun_again(pipeline, lake):
    before = dump(pipeline.warehouse_url)
    remaining = iter([900] * 13 + [30] * 5)
    assert not run.rebuild(LoadSettings(), lambda: next(remaining)).done
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("alter table etl.rebuild_dim_date drop column quarter")
        connection.execute("alter table etl.rebuild_batch_table drop column deleted")
    assert _rebuild(pipeline)["done"]
    assert dump(pipeline.warehouse_url) == before


def test_a_rebuild_without_a_listing_says_what_to_do(pipeline):
    with pytest.raises(ListingMissingError, match="mode"):
        _rebuild(pipeline)


def test_g3_a_reader_sees_every_order_once_during_loads_and_a_rebuild(pipeline, lake):
    """It polls the current views, in one statement each, while batches are loaded and the warehouse is rebuilt."""
    done, seen, errors = threading.Event(), [], []
    statement = (
        "select (select count(*) from current_sales_order), (select count(distinct sales_order_id) from current_sales_order), "
        "(select count(*) from current_payment p where not exists (select 1 from dim_transaction t "
        "where t.transaction_id = p.transaction_id)), (select sum(units_sold) from current_sales_order), "
        "(select max(batch) from etl.batch)"
    )

    def read():
        with psycopg.connect(pipeline.warehouse_url, autocommit=True) as connection:
            while not done.is_set():
                try:
                    seen.append(connection.execute(statement).fetchone())
                except psycopg.Error as error:
                    errors.append(error)
                    return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(50):
            lake.publish({"fact_sales_order": [order(1, 1000 + number), order(2, 1000 - number)]})
            pipeline.load()
            if number % 10 == 5:
                lake.list_files()
                _rebuild(pipeline)
    finally:
        done.set()
        reader.join()
    assert not errors
    orders = len(lake.current["fact_sales_order"])
    sums = {total for _, _, _, total, _ in seen}
    assert {(count, distinct, dangling) for count, distinct, dangling, *_ in seen} == {(orders, orders, 0)}
    assert len(sums) <= 2  # both orders of a batch change together: the sum stays
    batches = [batch for *_, batch in seen]
    assert batches == sorted(batches) and len(set(batches)) > 20
    assert set(STAR_TABLES) <= dump(pipeline.warehouse_url).keys()
