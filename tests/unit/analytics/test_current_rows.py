"""What analysts are shown: the SQL of the dashboard and of the named queries, run over rows that were changed and deleted."""

from datetime import date, datetime

import duckdb
import pytest
import sqlglot

from analytics.dashboard.description import PAGES, SYNC
from analytics.named_queries import named_queries
from contracts.tables.current import HistoryError, LakeSql
from contracts.tables.lake import HISTORIES, LAKE_TABLES, LINEAGE, SOURCE_DELETION
from contracts.tables.star import FACTS, STAR_TABLES
from contracts.tables.types import BOOLEAN, DATE, MOMENT, TEXT, TIME
from contracts.tables.views import VIEWS
from local.emulator.athena.engine import MACROS

#: Orders: 1 unchanged, 2 changed once, 3 deleted, 4 deleted and come back, 5 changed and then deleted.
VERSIONS = [(1, 1, 1), (2, 2, 1), (2, 6, 2), (3, 3, 1), (4, 4, 1), (4, 7, 3), (5, 5, 1), (5, 8, 3)]
DELETIONS = [(3, 2), (4, 2), (5, 3)]
CURRENT = {1: 1, 2: 6, 4: 7}
#: What the dashboard asks, but for the history of synchronisation.
DATA_SETS = [*dict.fromkeys(shown.data for page in PAGES for shown in page.shown if shown.data != SYNC)]


@pytest.fixture(scope="module")
def lake():
    """The lake's tables in DuckDB, as the local Athena has them."""
    connection = duckdb.connect()
    for macro in MACROS:
        connection.execute(macro)
    connection.execute("create schema raw")
    connection.execute("create table raw.batch (batch int, snapshot_time varchar, time_zone varchar)")
    for batch in (1, 2, 3):
        connection.execute(
            "insert into raw.batch values (?, ?, '')", [batch, f"2024-11-2{batch}T10:00:00.000000+00:00"]
        )
    for table in LAKE_TABLES.values():
        columns = ", ".join(f"{c.name} {kind(c)}" for c in (*table.columns, *LINEAGE))
        connection.execute(f"create table {table.name} ({columns})")
    for table in STAR_TABLES.values():
        rows = VERSIONS if table in FACTS else [(1, 1, 1)]
        for key, record, batch in rows:
            insert(connection, table, {table.key: key_of(table, key), table.record_id: record, "batch_id": batch})
        for key, batch in DELETIONS if table in FACTS else ():
            values = {"source_table": table.source, "source_key": key, "batch_id": batch}
            insert(connection, SOURCE_DELETION, values | {"deleted_at": datetime(2024, 11, 20 + batch, 10)})
    yield connection
    connection.close()


def kind(column):
    return {"string": "varchar", "timestamp_ntz": "timestamp"}.get(column.type.spark, column.type.spark)


def key_of(table, key):
    return date(2024, 11, 20) if table.column(table.key).type is DATE else key


def insert(connection, table, values):
    samples = {
        DATE: date(2024, 11, 20),
        TEXT: "x",
        TIME: "10:00:00.000",
        BOOLEAN: False,
        MOMENT: datetime(2024, 11, 20),
    }
    row = [values.get(c.name, samples.get(c.type, 1)) for c in (*table.columns, *LINEAGE)]
    connection.execute(f"insert into {table.name} values ({', '.join('?' * len(row))})", row)


@pytest.mark.parametrize("data", DATA_SETS, ids=lambda data: data.name)
def test_g5_the_dashboard_counts_no_deleted_order(lake, data):
    """What it shows are views: those of the marts."""
    rows = lake.execute(VIEWS[data.name].query(LakeSql("main"))).fetchall()
    names = [column[0] for column in lake.description]
    assert names == [column.name for column in data.columns]
    (number,) = {"orders", "payments"} & {*names}
    assert sum(row[names.index(number)] for row in rows) == len(CURRENT)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_g5_a_fact_is_current_in_its_newest_version_that_no_deletion_has_ended(lake, fact):
    rows = lake.execute(LakeSql().current(fact, [fact.key, fact.record_id])).fetchall()
    assert dict(rows) == CURRENT


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_g6_versions_of_a_fact_follow_each_other_until_a_deletion(lake, fact):
    rows = lake.execute(f"select * from ({LakeSql(raw_database='raw').history(fact)})").fetchall()
    place = {name: [d[0] for d in lake.description].index(name) for name in ("valid_from", "valid_to", "is_current")}
    spans = {row[0]: tuple(row[place[name]] for name in place) for row in rows}
    first, second, third = (datetime(2024, 11, day, 10) for day in (21, 22, 23))
    created = datetime(2024, 11, 20, 10)
    assert (
        spans
        == {
            1: (created, None, True),
            2: (created, second, False),
            6: (second, None, True),
            3: (created, second, False),
            4: (created, second, False),
            7: (third, None, True),
            5: (created, third, False),
            8: (third, third, False),
        }
        and first > created
    )


def test_a_table_without_a_history_says_which_have_one():
    with pytest.raises(HistoryError, match="dim_currency keeps no history; those that do: dim_counterparty"):
        LakeSql().history(STAR_TABLES["dim_currency"])
    assert all(LakeSql().history(STAR_TABLES[name]).startswith("select") for name in HISTORIES)


def test_g5_named_queries_count_no_deleted_order(lake):
    for view in VIEWS.values():
        query = sqlglot.transpile(view.query(LakeSql(raw_database="raw")), read="athena", write="duckdb")[0]
        lake.execute(f"create or replace view {view.name} as {query}")
    statements = {query.name: query.statement for query in named_queries("main", "raw")}
    assert [row[3] for row in lake.execute(statements["sales_by_month"]).fetchall()] == [len(CURRENT)]
    assert [row[2] for row in lake.execute(statements["purchases_by_supplier"]).fetchall()] == [len(CURRENT)]
    assert [row[0] for row in lake.execute(statements["overdue_payments"]).fetchall()] == sorted(CURRENT)
