"""The local Athena: statements over a catalog, errors about the user's own text, tables from files."""

import json

import pytest

from analytics.sync_history import DOCUMENTS
from analytics.views import catalog_views
from contracts.tables.source import SOURCE_TABLES
from local.emulator.athena.engine import Engine
from local.emulator.athena.relations import duckdb_type
from local.emulator.athena.service import _answer
from local.emulator.athena.statement import QueryError, prepared
from local.emulator.cloudformation import _named_query, _prepared_statement
from local.home import ROOT

LAKE, RAW = "totesys", "totesys_raw"
GOLDEN = ROOT / "tests" / "golden"


def glue_columns(columns):
    return [{"Name": name, "Type": kind} for name, kind, _ in columns]


@pytest.fixture
def engine(tmp_path):
    """A catalog as it is deployed, over documents of every format and one raw table."""
    catalog = {}
    for documents in DOCUMENTS:
        catalog[RAW, documents.name] = {
            "StorageDescriptor": {
                "Location": f"s3://{documents.bucket}/{documents.prefix}",
                "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
                "Columns": glue_columns(documents.columns),
            }
        }
    for view in catalog_views(LAKE, RAW):
        catalog[view.database, view.name] = {"TableType": "VIRTUAL_VIEW", "ViewOriginalText": view.original_text}
    table = SOURCE_TABLES["design"]
    catalog[RAW, "design"] = {
        "StorageDescriptor": {
            "Location": "s3://ingestion/design/",
            "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde"},
            "Columns": [{"Name": name, "Type": "string"} for name in table.column_names],
        },
        "PartitionKeys": [{"Name": "extracted_date", "Type": "string"}],
    }
    for bucket in ("ingestion", "processed"):
        (tmp_path / bucket).mkdir()
    return Engine(lambda schema, name: catalog.get((schema, name)), tmp_path)


def store(engine, key, text):
    file = engine.s3 / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_documents_of_every_format_are_tables(engine, number):
    folder = GOLDEN / f"format-{number}"
    manifest = json.loads((folder / "manifest-first.json").read_text())
    publication = json.loads((folder / "publication-first.json").read_text())
    store(engine, "ingestion/batches/00000001.json", (folder / "manifest-first.json").read_text())
    store(engine, "processed/publications/00000001.json", (folder / "publication-first.json").read_text())
    store(engine, "processed/loads/00000001.json", (folder / "load-note.json").read_text())
    found = engine.run("select table_name, rows_read, source_count, read, reason from batch_table", RAW).rows
    assert sorted(found) == sorted(
        (name, t["rows"], t["source_count"], t["read"], "first batch") for name, t in manifest["tables"].items()
    )
    done = engine.run("select table_name, inserted, updated, deleted, seconds_to_lake from publication_table", RAW).rows
    assert sorted(row[:4] for row in done) == sorted(
        (name, t["inserted"], t["updated"], t["deleted"]) for name, t in publication["tables"].items()
    )
    assert all(row[4] > 0 for row in done)


def test_a_note_confirms_its_batch_and_those_before_it(engine):
    publication = json.loads((GOLDEN / "format-3" / "publication-first.json").read_text())
    for batch in (1, 2, 3):
        store(engine, f"processed/publications/{batch:08d}.json", json.dumps({**publication, "batch": batch}))
    note = {"batch": 2, "confirmed_at": "2024-11-20T10:00:00.000000+00:00"}
    store(engine, "processed/loads/00000002.json", json.dumps(note))
    rows = engine.run("select distinct batch, loaded_at is not null from publication_table order by 1", RAW).rows
    assert rows == [(1, True), (2, True), (3, False)]


def test_without_documents_tables_and_views_have_no_rows(engine):
    assert engine.run("select * from batch_table", RAW).rows == []
    assert engine.run("select count(*) from publication_table", RAW).rows == [(0,)]


def test_raw_rows_are_read_as_they_were_written(engine):
    text = (
        "design_id,created_at,design_name,file_location,file_name,last_updated\n"
        '1,2024-01-01,"two\nlines, ""quoted""",/a,,2024-01-02\n2,2024-01-01,"",/b,f.json,2024-01-02\n'
    )
    store(engine, "ingestion/design/extracted_date=2024-11-20/00000001-a-0001.csv", text)
    found = engine.run("select design_id, design_name, file_name, extracted_date from design order by 1", RAW).rows
    assert found == [("1", 'two\nlines, "quoted"', None, "2024-11-20"), ("2", "", "f.json", "2024-11-20")]


def test_a_view_over_a_table_that_is_not_there_yet_says_who_makes_it(engine):
    with pytest.raises(
        QueryError, match=r"View totesys.sales_by_day: Table .* does not exist. The first batch makes it"
    ):
        engine.run("select * from sales_by_day", LAKE)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("select 1,\n\n   nothing from batch_table", r"COLUMN_NOT_FOUND: line 3:4: Column 'nothing' cannot be resolved"),
        ("select 1 from\n batch_table b join nowhere n on n.x = b.batch", r"TABLE_NOT_FOUND: line 2:21: .*totesys_raw\.nowhere"),
        ("select (1", r"SYNTAX_ERROR: line 1:\d+"),
        ("select 1; select 2", "2 statements"),
        ("", "0 statements"),
        ("delete from batch", "runs SELECT only"),
        ("select * from read_csv('/etc/passwd')", "is no table"),
    ],
)  # fmt: skip
def test_an_error_is_about_the_statement_as_it_was_written(engine, statement, message):
    with pytest.raises(QueryError, match=message) as error:
        engine.run(statement, RAW)
    assert str(engine.s3) not in str(error.value) and "read_json" not in str(error.value)


def test_columns_have_the_names_that_athena_gives_them(engine):
    result = engine.run("select 1 as Foo, count(*), 'x', max(batch) as m from batch_table", RAW)
    assert result.columns == ["Foo", "_col1", "_col2", "m"]


def test_moments_are_written_alike_whether_or_not_they_have_a_fraction(engine):
    moments = "timestamp '2024-01-01 09:00:00', timestamp '2024-01-01 09:00:00.5'"
    found = engine.run(f"select m, cast(m as date) as d from unnest(array[{moments}]) as t (m) order by m", RAW)
    assert [row[0] for row in _answer(found, {})["rows"]] == [
        "2024-01-01 09:00:00.000000",
        "2024-01-01 09:00:00.500000",
    ]


def test_an_answer_can_be_kept_as_json(engine):
    """Else the emulator would not keep what Athena knows, and would start again with what it knew before."""
    found = engine.run("select date '2024-01-01', cast(1.50 as decimal(10, 2)), true, 1, 'x', null, uuid()", RAW)
    (row,) = json.loads(json.dumps(_answer(found, {})))["rows"]
    assert row[:6] == ["2024-01-01", "1.50", True, 1, "x", None]


def test_parameters_take_the_place_of_question_marks_in_order(engine):
    found = engine.run("select ? as a, b from (select ? as b) t where b = ?", RAW, ["1", "'x''y'", "'x''y'"]).rows
    assert found == [(1, "x'y")]
    with pytest.raises(QueryError, match="expected 2 but found 1"):
        engine.run("select ?, ?", RAW, ["1"])
    with pytest.raises(QueryError, match="no literal"):
        engine.run("select ?", RAW, ["(select 1)"])


def test_a_prepared_statement_is_looked_up_and_its_values_are_split(engine):
    saved = {"q": "select ? as a, ? as b"}
    assert prepared("EXECUTE q USING 'a, b', date '2024-01-01'", saved.get)[1] == [
        "'a, b'",
        "CAST('2024-01-01' AS DATE)",
    ]
    assert prepared("execute q", saved.get) == (saved["q"], [])
    assert prepared("select 1", saved.get) == ("select 1", [])
    with pytest.raises(QueryError, match="missing was not found"):
        prepared("execute missing", saved.get)


@pytest.mark.parametrize(
    ("hive", "duckdb"),
    [
        ("decimal(10,2)", "decimal(10,2)"),
        ("array<decimal(10,2)>", "decimal(10,2)[]"),
        (
            "map<string,struct<a:int,b:map<string,bigint>>>",
            'map(varchar, struct("a" integer, "b" map(varchar, bigint)))',
        ),
    ],
)
def test_types_are_duckdbs(hive, duckdb):
    assert duckdb_type(hive) == duckdb


def test_a_saved_query_that_is_deployed_anew_takes_the_place_of_the_old_one():
    import ministack.services.athena as athena

    for handler, properties, listed in (
        (_named_query(), {"Name": "n", "Database": "d", "QueryString": "select 1"}, athena._named_queries),
        (
            _prepared_statement(),
            {"StatementName": "n", "WorkGroup": "w", "QueryStatement": "select 1"},
            athena._prepared_statements,
        ),
    ):
        before = len(listed)
        first, _ = handler["create"]("", properties, "stack")
        field = "QueryString" if "QueryString" in properties else "QueryStatement"
        second, _ = handler["update"](first, properties, {**properties, field: "select 2"}, "stack")
        assert [saved[field] for saved in listed.values()][-1] == "select 2" and len(listed) == before + 1
        handler["delete"](second, properties)
        assert len(listed) == before
