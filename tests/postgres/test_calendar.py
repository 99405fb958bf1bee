"""Days and keys of every size: the lake's calendar in one that somebody has prepared, and integers below zero."""

from datetime import date

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contracts.checksum import mix, mix_sql
from lambdas.errors import ReconciliationError
from tests.support.lake import FakeLake
from tests.support.publications import DAY, NEXT, day, order, payment, publish_some

#: The owner's calendar, made before and after ours.
PREPARED = (
    "insert into dim_date select d::date, extract(year from d), extract(month from d), extract(day from d), "
    "extract(isodow from d), 'x', 'x', extract(quarter from d) from generate_series(date '2000-01-01', "
    "date '2050-12-31', interval '1 day') d on conflict do nothing"
)
LOWEST, HIGHEST = -(2**31), 2**31 - 1


@pytest.fixture
def lake(pipeline):
    lake = FakeLake(pipeline)
    publish_some(lake)
    pipeline.load()
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute(PREPARED)
    return lake


def test_g3_one_mistyped_year_does_not_keep_batches_from_a_prepared_warehouse(pipeline, lake):
    """One order is due in 2204: the days of the prepared calendar lie between the lake's."""
    lake.publish({"dim_date": [day(date(2204, 1, 1))], "fact_sales_order": [order(1, 51)]})
    assert pipeline.load()["loaded"] == [4]
    lake.list_files()
    assert pipeline.load({"step": "rebuild"})["last"] == 4
    assert pipeline.warehouse("select count(*) from dim_date where day_name = 'x'")[0][0] > 18_000  # left alone


def test_g3_days_that_the_owner_had_already_count(pipeline, lake):
    lake.publish({"dim_date": [day(date(2030, 1, 1)), day(date(2051, 1, 1))]})
    assert pipeline.load()["loaded"] == [4]
    assert pipeline.warehouse("select day_name from dim_date where date_id = '2030-01-01'") == [("Day",)]


def test_g5_a_day_of_the_lakes_calendar_that_is_gone_is_named(pipeline, lake):
    lake.publish({"dim_date": [day(date(2204, 1, 1))]})
    pipeline.load()
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("delete from dim_date where date_id = '2204-01-01'")
    lake.publish({"fact_sales_order": [order(1, 52)]})
    missing = (date(2204, 1, 1) - date(1970, 1, 1)).days
    with pytest.raises(ReconciliationError, match=rf"dim_date: .*show 2 .*Missing: {missing} \(days since 1970\)"):
        pipeline.load()


def test_a_publication_of_format_1_counts_from_its_lowest_day_to_its_highest(pipeline):
    lake = FakeLake(pipeline)
    lake.head = {"format": 1}
    publish_some(lake)
    assert pipeline.load()["loaded"] == [1, 2, 3]
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute(PREPARED)  # beyond its days only
    lake.publish({"fact_sales_order": [order(1, 52)]})
    assert pipeline.load()["loaded"] == [4]


def test_g8_days_before_1970_and_keys_below_zero_arrive_and_reconcile(pipeline, lake):
    early, first = date(24, 11, 15), date(1, 1, 1)  # a year of two digits that nobody corrected
    lake.publish(
        {
            "dim_date": [day(early), day(first), day(date(1969, 12, 31))],
            "dim_staff": [
                (LOWEST, "Low", "", "HR", "", "l"),
                (-1, "Minus", "", "HR", "", "m"),
                (0, "", "", "", "", ""),
            ],
            "dim_transaction": [(-7, "SALE", -7, None)],
            "fact_sales_order": [order(-7, 1, on=early), order(HIGHEST, 2, on=first), order(LOWEST, 3)],
            "fact_payment": [payment(2, False)],
        }
    )
    assert pipeline.load()["loaded"] == [4]
    lake.publish({"fact_sales_order": [order(-7, 9, on=early)]}, deleted={"sales_order": [LOWEST]})
    assert pipeline.load()["loaded"] == [5]
    found = pipeline.warehouse("select sales_order_id, created_date, units_sold from current_sales_order")
    assert {(-7, early, 9), (HIGHEST, first, 2)} <= set(found) and LOWEST not in {key for key, *_ in found}
    lake.list_files()
    assert pipeline.load({"step": "rebuild"})["last"] == 5
    assert pipeline.warehouse("select min(date_id), min(staff_id) from dim_date, dim_staff") == [(first, LOWEST)]


def test_g5_missing_keys_are_named_however_far_apart_the_keys_lie(pipeline, lake):
    lake.publish({"dim_design": [(LOWEST, "a", "b", "c"), (5, "a", "b", "c"), (HIGHEST, "a", "b", "c")]})
    pipeline.load()
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("delete from dim_design where design_id = 5")
    lake.publish({"dim_date": [day(DAY), day(NEXT)]})
    with pytest.raises(
        ReconciliationError, match=rf"dim_design: .*Missing, or never used: {LOWEST + 1}, {LOWEST + 2}, "
    ):
        pipeline.load()


@pytest.fixture
def connection(servers):
    with psycopg.connect(servers.warehouse.url, autocommit=True) as connection:
        yield connection


@given(keys=st.lists(st.integers(LOWEST, HIGHEST), min_size=1, max_size=200))
@example(keys=[LOWEST, LOWEST + 1, -2, -1, 0, 1, 2, HIGHEST - 1, HIGHEST])
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_g5_python_and_postgresql_mix_every_key_alike(connection, keys):
    statement = f"select {mix_sql('key')}::bigint from unnest(%s::int[]) with ordinality u(key, n) order by n"
    rows = connection.execute(statement.replace("%", "%%").replace("%%s", "%s"), (keys,)).fetchall()
    assert [number for (number,) in rows] == [mix(key) for key in keys]
