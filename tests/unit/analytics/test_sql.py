"""Every view and named query is Athena's SQL, of columns that exist, and gives the columns and types that it says."""

import re

import duckdb
import pytest
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

from analytics.named_queries import QUERIES, named_queries
from analytics.sync_history import DOCUMENTS
from analytics.views import catalog_views
from contracts.protocol.load_note import LoadNote
from contracts.protocol.manifest import Manifest, TableExtract
from contracts.protocol.publication import Publication, TablePublication
from contracts.tables.lake import LAKE_TABLES, LINEAGE
from contracts.tables.marts import MARTS, OVERDUE_RANGES
from contracts.tables.views import VIEWS
from local.emulator.athena.engine import MACROS
from local.emulator.athena.relations import duckdb_type

LAKE, RAW = "totesys", "totesys_raw"
CATALOG_VIEWS = list(catalog_views(LAKE, RAW))
NAMED = list(named_queries(LAKE, RAW))
#: What DuckDB calls the types of Athena that it calls otherwise; its sums of integers are wider.
TYPES = {"hugeint": "bigint", "timestamp": "timestamp(6)"}


def _schema():
    tables = {LAKE: {}, RAW: {}}
    for table in LAKE_TABLES.values():
        tables[LAKE][table.name] = {c.name: duckdb_type(c.type.athena) for c in (*table.columns, *LINEAGE)}
    for documents in DOCUMENTS:
        tables[RAW][documents.name] = {name: duckdb_type(kind) for name, kind, _ in documents.columns}
    for view in CATALOG_VIEWS:
        tables[view.database][view.name] = {c.name: duckdb_type(c.type.athena) for c in view.columns}
    return tables


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        for macro in MACROS:
            connection.execute(macro)
        views = {(view.database, view.name) for view in CATALOG_VIEWS}
        for database, tables in _schema().items():
            connection.execute(f"create schema {database}")
            for name, columns in tables.items():
                if (database, name) not in views:
                    said = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
                    connection.execute(f"create table {database}.{name} ({said})")
        yield connection


@pytest.mark.parametrize("view", CATALOG_VIEWS, ids=lambda view: view.name)
def test_a_view_gives_the_columns_and_types_that_it_says(connection, view):
    query = sqlglot.transpile(view.sql, read="athena", write="duckdb")[0]
    found = [
        (row[0], TYPES.get(row[1].lower(), row[1].lower()))
        for row in connection.execute(f"describe {query}").fetchall()
    ]
    assert found == [(column.name, column.type.presto) for column in view.columns]


@pytest.mark.parametrize("view", CATALOG_VIEWS, ids=lambda view: view.name)
def test_a_view_and_each_of_its_columns_are_described(view):
    assert view.description.endswith(".") and all(column.description.endswith(".") for column in view.columns)


@pytest.mark.parametrize("view", CATALOG_VIEWS, ids=lambda view: view.name)
def test_a_view_names_every_table_with_its_database(view):
    parsed = sqlglot.parse_one(view.sql, dialect="athena")
    own = {cte.alias for cte in parsed.find_all(exp.CTE)}
    assert all(
        table.db
        for table in parsed.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier) and table.name not in own
    )


@pytest.mark.parametrize("query", NAMED, ids=lambda query: query.name)
def test_a_named_query_asks_for_columns_that_exist(query):
    parsed = sqlglot.parse_one(query.statement, dialect="athena")
    qualify(parsed, schema=_schema(), db=query.database, dialect="athena", validate_qualify_columns=True)
    asked = {(table.db or query.database, table.name) for table in parsed.find_all(exp.Table)}
    assert asked & {(view.database, view.name) for view in CATALOG_VIEWS}, "facts are asked through the views"


@pytest.mark.parametrize("query", NAMED, ids=lambda query: query.name)
def test_a_named_query_says_what_it_answers_and_how_it_is_asked(query):
    assert query.question.endswith("?") and query.group in ("sales", "purchases", "payments", "history", "operations")
    marks = len(list(sqlglot.parse_one(query.statement, dialect="athena").find_all(exp.Placeholder)))
    values = sqlglot.parse_one(f"select {query.example}", dialect="athena").expressions if query.example else []
    assert marks == len(values)
    assert re.fullmatch(r"[a-z_]+", query.name)


def test_there_are_queries_of_every_group_and_no_other_files():
    files = [file for file in QUERIES.rglob("*") if file.is_file()]
    assert len(files) == len(NAMED) >= 15
    assert len({query.name for query in NAMED}) == len(NAMED)
    assert {query.group for query in NAMED} == {"sales", "purchases", "payments", "history", "operations"}


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.name)
def test_money_of_a_mart_goes_with_a_currency(mart):
    names = [column.name for column in mart.columns]
    assert any(name.endswith("amount") for name in names) and "currency_code" in names


@pytest.mark.parametrize("query", NAMED, ids=lambda query: query.name)
def test_a_named_query_that_adds_money_does_so_by_currency(query):
    for select in sqlglot.parse_one(query.statement, dialect="athena").find_all(exp.Select):
        money = [s for s in select.find_all(exp.Sum) if "amount" in s.sql() or "price" in s.sql()]
        if money:
            assert "currency_code" in {column.name for column in select.expressions if isinstance(column, exp.Column)}


def test_ranges_of_days_overdue_are_named_in_order():
    assert OVERDUE_RANGES[0] == "not due" and OVERDUE_RANGES[-1] == "over 365"
    assert {"current_payment", "history_staff", "payment_ageing"} <= set(VIEWS)


def _fields(kind):
    return set(kind.__dataclass_fields__)


@pytest.mark.parametrize(
    ("name", "document", "entry"),
    [("batch", Manifest, TableExtract), ("publication", Publication, TablePublication), ("load_note", LoadNote, None)],
)
def test_tables_of_documents_show_fields_that_documents_have(name, document, entry):
    (found,) = (documents for documents in DOCUMENTS if documents.name == name)
    assert {column for column, _, _ in found.columns} <= _fields(document)
    nested = re.findall(r"(\w+):", {n: kind for n, kind, _ in found.columns}.get("tables", ""))
    assert set(nested) <= (_fields(entry) if entry else set()) and bool(nested) == bool(entry)
