"""A column is an edit of the contract: the deployed platform of before takes it in, and gives it up when asked to."""

import json
from datetime import datetime

import psycopg
import pytest

from contracts.tables.current import LakeSql
from contracts.tables.star import FACT_SALES_ORDER
from local.home import ROOT
from tests.support.grown import grown

NEW = "sales_channel"


@pytest.fixture
def tree(tmp_path):
    return grown(tmp_path, "column")


def athena(platform, statement, **options):
    arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
    return json.loads(platform.run("query", statement, "--format", "json", *arguments).out)


def spans(rows):
    """Return, by record id, from when to when each version held, to the millisecond."""
    return {
        row["sales_record_id"]: tuple(
            None if row[name] is None else datetime.fromisoformat(str(row[name])).isoformat(timespec="milliseconds")
            for name in ("valid_from", "valid_to")
        )
        for row in rows
    }


def assert_histories_agree(platform):
    """The lake's history through Athena is the warehouse's: one rule, two systems."""
    columns = "sales_record_id, valid_from, valid_to"
    lake = LakeSql(raw_database=platform.description["raw_database"]).history(FACT_SALES_ORDER)
    expected = platform.in_warehouse(f"select {columns} from history_sales_order")
    found = athena(platform, f"select {columns} from ({lake}) h")
    names = columns.split(", ")
    assert spans(found) == spans(dict(zip(names, row, strict=True)) for row in expected)
    assert any(to for _, to in spans(found).values())


def columns_of(platform, table):
    rows = platform.in_warehouse(
        f"select column_name from information_schema.columns where table_name = '{table}' order by ordinal_position"
    )
    return [name for (name,) in rows]


def test_g1_a_column_that_the_contract_gains_comes_with_its_old_values_and_goes_when_asked(own_platform, tree):
    platform = own_platform
    platform.batch()
    with psycopg.connect(platform.source.url) as connection:  # existing rows get the value without a new transaction id
        connection.execute(f"alter table sales_order add column {NEW} text default 'web'")
    platform.batch()
    assert NEW not in columns_of(platform, "fact_sales_order")

    try:
        platform.root = tree
        platform.run(*platform.up)
        batch = platform.batch()
        manifest = platform.document("ingestion_bucket", f"batches/{batch['batch']:08d}.json")
        reasons = {name: table["reason"] for name, table in manifest["tables"].items() if table["reason"]}
        assert reasons == {"sales_order": f"the contract has gained fact_sales_order.{NEW}"}
        assert platform.in_warehouse(f"select {NEW}, count(*) from current_sales_order group by 1") == [
            ("web", platform.execute("select count(*) from sales_order")[0][0])
        ]
        assert NEW in columns_of(platform, "history_sales_order")
        (newest,) = athena(platform, f"select {NEW} from fact_sales_order order by sales_record_id desc limit 1")
        assert newest == {NEW: "web"}
        log = athena(platform, f"select distinct {NEW} from sales_order", database=platform.description["raw_database"])
        assert {"web"} <= {row[NEW] for row in log}
        platform.assert_equal()
        platform.run("rebuild")  # from files of which most are older than the column
        assert platform.in_warehouse(f"select count(*) from current_sales_order where {NEW} is null") == [(0,)]
        platform.assert_equal()
    finally:
        platform.root = ROOT
        platform.run(*platform.up)

    # The contract gives it up: it stays in the log, and lake and warehouse keep it until somebody asks.
    platform.execute("update sales_order set units_sold = units_sold + 1 where sales_order_id = 1")
    batch = platform.batch()
    manifest = platform.document("ingestion_bucket", f"batches/{batch['batch']:08d}.json")
    assert NEW in manifest["tables"]["sales_order"]["columns"]
    assert NEW in columns_of(platform, "fact_sales_order") and NEW not in columns_of(platform, "current_sales_order")
    platform.assert_equal()
    assert_histories_agree(platform)
    still = platform.run("drop-columns", "fact_sales_order.unit_price", code=1)
    assert "the contract still has fact_sales_order.unit_price" in still.err
    platform.run("drop-columns", f"fact_sales_order.{NEW}")
    assert NEW not in columns_of(platform, "fact_sales_order")
    assert NEW not in athena(platform, "select * from fact_sales_order limit 1")[0]
    platform.execute("update sales_order set units_sold = units_sold + 1 where sales_order_id = 1")
    platform.batch()
    platform.assert_equal()
