"""The warehouse's own tables follow a contract that has grown or shrunk; what somebody has done to them is told."""

import psycopg
import pytest

from contracts.errors import ContractConflictError
from contracts.tables.first import FIRST_COLUMNS
from lambdas.errors import EventError, WarehouseSchemaError, WarehouseWriteError
from tests.support.lake import FakeLake

STAFF = [(1, "Ann", "O'Keefe", "Sales", None, "a@x"), (2, "Bö", "", "Sales", "", "b"), (3, "C", "", "HR", "NULL", "c")]


@pytest.fixture
def loaded(pipeline):
    """A warehouse that shows one batch."""
    lake = FakeLake(pipeline)
    lake.publish({"dim_staff": STAFF})
    pipeline.load()
    return lake


def forget(pipeline, column):
    """Make the warehouse one of a release whose contract did not have the column."""
    table, _, name = column.partition(".")
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute(f"alter table {table} drop column {name} cascade")
        connection.execute("delete from etl.star_column where table_name = %s and column_name = %s", (table, name))


def nullable(pipeline, column):
    table, _, name = column.partition(".")
    return pipeline.warehouse(
        "select is_nullable from information_schema.columns where table_name = %s and column_name = %s", table, name
    )


def test_g11_a_column_that_the_contract_has_gained_is_added_without_a_value(pipeline, loaded):
    forget(pipeline, "dim_staff.email_address")
    loaded.publish({"dim_staff": [(*STAFF[0][:5], "new@x")]})
    assert pipeline.load()["loaded"] == [2]
    assert sorted(pipeline.warehouse("select staff_id, email_address from dim_staff")) == [
        (1, "new@x"), *[(row[0], None) for row in STAFF[1:]],
    ]  # fmt: skip
    assert nullable(pipeline, "dim_staff.email_address") == [("YES",)]
    assert pipeline.warehouse("select email_address from history_staff") is not None


def test_a_column_that_somebody_has_dropped_is_told_and_not_made_anew(pipeline, loaded):
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("alter table dim_staff drop column email_address")
    loaded.publish({"dim_staff": STAFF})
    with pytest.raises(WarehouseSchemaError, match=r"column dim_staff\.email_address is missing"):
        pipeline.load()


@pytest.mark.parametrize("is_gained", [False, True])
def test_g11_a_warehouse_of_a_release_that_did_not_keep_its_columns_had_those_of_the_first_contract(
    pipeline, loaded, monkeypatch, is_gained
):
    if is_gained:
        first = FIRST_COLUMNS["dim_staff"] - {"email_address"}
        monkeypatch.setitem(FIRST_COLUMNS, "dim_staff", first)
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("drop table etl.star_column, etl.staged_file; delete from etl.migration where number >= 6")
        connection.execute("alter table dim_staff drop column email_address")
    loaded.publish({"dim_staff": STAFF})
    if not is_gained:
        told = (
            r"column dim_staff.email_address is missing \(alter table \"public\".\"dim_staff\" add column if not exists"
        )
        with pytest.raises(WarehouseSchemaError, match=told):
            pipeline.load()
        with psycopg.connect(pipeline.warehouse_url) as connection:
            connection.execute("alter table dim_staff add column email_address varchar")
    assert pipeline.load()["loaded"] == [2]
    assert ("dim_staff", "email_address") in pipeline.warehouse("select table_name, column_name from etl.star_column")


def given_up(pipeline, name="note"):
    """Give the warehouse a column that an earlier contract had."""
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute(f"alter table dim_staff add column {name} varchar not null default 'x'")
        connection.execute(f"alter table dim_staff alter column {name} drop default")
        connection.execute("insert into etl.star_column (table_name, column_name) values ('dim_staff', %s)", (name,))


def test_a_column_that_the_contract_has_given_up_stands_in_nobody_s_way_and_goes_when_asked(pipeline, loaded):
    given_up(pipeline)
    loaded.publish({"dim_staff": [(9, "New", "One", "Sales", None, "n@x")]})
    assert pipeline.load()["loaded"] == [2]
    assert pipeline.warehouse("select note from dim_staff where staff_id in (1, 9) order by staff_id") == [
        ("x",),
        (None,),
    ]
    answer = pipeline.load({"step": "drop_columns", "columns": "dim_staff.note"})
    assert answer["dropped"] == ["dim_staff.note", "dim_staff_history.note"]
    assert nullable(pipeline, "dim_staff.note") == []
    assert pipeline.load({"step": "drop_columns", "columns": "dim_staff.note"})["dropped"]  # again is no harm
    loaded.publish({"dim_staff": STAFF[:1]})
    assert pipeline.load()["loaded"] == [3]


def test_what_the_contract_has_is_not_dropped(pipeline, loaded):
    with pytest.raises(ContractConflictError, match=r"the contract still has dim_staff\.email_address"):
        pipeline.load({"step": "drop_columns", "columns": "dim_staff.note,dim_staff.email_address"})
    with pytest.raises(EventError, match="has unknown parrot"):
        pipeline.load({"step": "drop_columns", "parrot": 1})
    assert nullable(pipeline, "dim_staff.email_address") == [("NO",)]


def test_a_column_that_views_had_shown_is_dropped(pipeline, loaded):
    """Views of facts name their columns: one over all of them would keep each from being dropped."""
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("alter table fact_payment add column note varchar")
        connection.execute("comment on view history_payment is 'of an earlier contract'")
    loaded.publish({"dim_staff": STAFF[:1]})
    pipeline.load()
    assert pipeline.load({"step": "drop_columns", "columns": "fact_payment.note"})["dropped"] == ["fact_payment.note"]
    assert nullable(pipeline, "fact_payment.note") == []


@pytest.mark.parametrize("is_known", [False, True])
def test_a_history_that_the_contract_has_gained_is_created_and_one_that_is_gone_is_told(pipeline, loaded, is_known):
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("drop view history_staff; drop table etl.dim_staff_history")
        if not is_known:
            connection.execute("delete from etl.star_column where table_name = 'dim_staff_history'")
    loaded.publish({"dim_staff": STAFF[:1]})
    if is_known:
        with pytest.raises(WarehouseWriteError, match="UndefinedTable"):
            pipeline.load()
    else:
        assert pipeline.load()["loaded"] == [2]
        assert pipeline.warehouse("select count(*) from history_staff") == [(0,)]
