"""The contracts themselves: complete, consistent, and spelled as the systems spell them."""

import json

import pycountry
import pytest

from contracts.errors import ContractConflictError
from contracts.tables.currencies import CURRENCY_NAMES
from contracts.tables.first import (
    FIRST_COLUMNS,
    FIRST_LAKE_TABLES,
    FIRST_LISTED_TABLES,
    FIRST_SOURCE_TABLES,
    gained_since,
)
from contracts.tables.former import former_columns
from contracts.tables.lake import HISTORIES
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.star import DIMENSIONS, FACTS, STAR_TABLES, modelled
from contracts.tables.table import Column, Kind, Reading, StarTable, Table, check_references, check_sources
from contracts.tables.types import INTEGER
from local.home import ROOT
from tests.support.golden import GOLDEN
from tools.data_dictionary import render


def test_there_are_at_least_the_eleven_tables_of_each_kind():
    assert len(SOURCE_TABLES) >= 11 and len(STAR_TABLES) >= 11
    assert len(FACTS) >= 3 and len(DIMENSIONS) >= 8


def test_what_the_first_contract_had_is_what_the_first_golden_manifest_tells():
    """The list of columns that everything later is compared with is never edited."""
    golden = json.loads((GOLDEN / "format-3" / "manifest-first.json").read_bytes())["tables"].values()
    modelled_then = {name for table in golden for name in table["modelled"]}
    records = {f"{fact.name}.{fact.record_id}" for fact in FACTS if fact.name in FIRST_COLUMNS}
    stars = {n for n in FIRST_COLUMNS if not n.endswith("_history") and n != "dim_date"}
    assert {f"{name}.{column}" for name in stars for column in FIRST_COLUMNS[name]} == modelled_then | records
    assert gained_since("dim_staff", "parrot") and not gained_since("dim_staff", "staff_id")
    assert not gained_since("dim_courier", "courier_id")  # the table itself is new


def test_the_tables_that_no_document_may_lack_are_those_of_the_first_golden_documents():
    for kind, first in (
        ("manifest-first", FIRST_SOURCE_TABLES),
        ("publication-first", FIRST_LAKE_TABLES),
        ("listing", FIRST_LISTED_TABLES),
    ):
        assert json.loads((GOLDEN / "format-1" / f"{kind}.json").read_bytes())["tables"].keys() == first


@pytest.mark.parametrize("table", [*SOURCE_TABLES.values(), *STAR_TABLES.values()], ids=lambda t: t.name)
def test_a_table_is_described_and_its_references_exist(table):
    tables = SOURCE_TABLES if table.name in SOURCE_TABLES else STAR_TABLES
    assert table.description and len(set(table.column_names)) == len(table.columns)
    assert not table.column(table.key).nullable
    for column in table.columns:
        assert column.description.endswith(".")
        if column.references:
            target, key = column.references.split(".")
            assert tables[target].key == key


def test_references_point_to_tables_that_are_written_earlier():
    for tables in (SOURCE_TABLES, STAR_TABLES):
        order = list(tables)
        for table in tables.values():
            for column in table.columns:
                if column.references:
                    assert order.index(column.references.split(".")[0]) < order.index(table.name)


def test_the_key_is_the_first_column_of_a_source_table():
    """An extraction that stops finds the last key there."""
    assert all(table.columns[0].name == table.key for table in SOURCE_TABLES.values())


def test_source_has_created_at_and_last_updated_everywhere():
    for table in SOURCE_TABLES.values():
        assert {"created_at", "last_updated"} <= set(table.column_names)


def test_g4_tables_that_a_dimension_joins_are_read_together():
    for star in STAR_TABLES.values():
        for joined in star.joins:
            source, other = SOURCE_TABLES[star.source], SOURCE_TABLES[joined]
            assert source.reading is other.reading is Reading.WHOLE
            assert source.group == other.group


def test_facts_have_a_record_id_and_dimensions_do_not():
    for fact in FACTS:
        assert fact.columns[0].name == fact.record_id == fact.primary_key
        assert fact.record_id not in [c.name for c in fact.content_columns]
    for dimension in DIMENSIONS:
        assert dimension.primary_key == dimension.key and len(dimension.content_columns) == len(dimension.columns)


def test_the_data_dictionary_is_what_the_contracts_say():
    assert (ROOT / "docs" / "data-dictionary.md").read_text() == render(), "run `make dictionary`"


def test_an_unknown_column_is_told():
    with pytest.raises(KeyError, match="staff has no column age"):
        SOURCE_TABLES["staff"].column("age")


def test_currency_names_are_those_of_iso_4217():
    assert {c.alpha_3: c.name for c in pycountry.currencies} == CURRENCY_NAMES
    assert CURRENCY_NAMES["GBP"] == "Pound Sterling"


def column(name="a_id", **options):
    return Column(name, INTEGER, "A column.", **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Table("a", (column(), column()), "a_id", "A table."), "table a has column a_id twice"),
        (lambda: Table("a", (column("b_id"),), "a_id", "A table."), "table a has no column a_id, which is its key"),
        (lambda: Table("a", (column(nullable=True),), "a_id", "A table."), "table a: its key a_id may be NULL"),
        (
            lambda: check_references({"a": Table("a", (column(references="b.b_id"),), "a_id", "A table.")}, {}),
            "column a.a_id refers to b.b_id, which is the key of no table",
        ),
        (
            lambda: check_sources(
                {"a": StarTable("dim_a", (column(),), "a_id", "A table.", source="parrot")}, SOURCE_TABLES
            ),
            "table dim_a is made of parrot, which is no table of the source",
        ),
        (
            lambda: check_sources(
                {"a": StarTable("fact_a", (column(),), "a_id", "A.", source="staff", kind=Kind.FACT, record_id="r")},
                SOURCE_TABLES,
            ),
            "table fact_a has no column r, which is its record id",
        ),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused_by_name(make, message):
    with pytest.raises(ContractConflictError, match=message):
        make()


def test_what_a_source_table_feeds_is_told_by_star_columns():
    assert "dim_staff.department_name" in modelled("department") and "dim_staff.department_name" in modelled("staff")
    assert "fact_payment.paid" in modelled("payment") and "fact_payment.payment_record_id" not in modelled("payment")
    assert all(modelled(name) for name in SOURCE_TABLES)


def test_columns_of_the_star_that_came_later_may_be_null():
    """Rows before have no value there: a column that no golden document tells of must be nullable."""
    golden = json.loads((GOLDEN / "format-3" / "manifest-first.json").read_bytes())["tables"].values()
    first = {name for table in golden for name in table["modelled"]}
    later = {
        f"{table.name}.{c.name}": c
        for table in STAR_TABLES.values()
        if table.source
        for c in table.content_columns
        if f"{table.name}.{c.name}" not in first
    }
    new_tables = {name.partition(".")[0] for name in later} - {name.partition(".")[0] for name in first}
    assert [name for name, c in later.items() if not c.nullable and name.partition(".")[0] not in new_tables] == []


def test_what_is_dropped_is_named_and_is_not_of_the_contract():
    assert [(t.name, c) for t, c in former_columns("dim_staff.note, fact_payment.note")] == [
        ("dim_staff", "note"),
        (HISTORIES["dim_staff"].name, "note"),
        ("fact_payment", "note"),
    ]
    for text, message in (
        ("fact_payment.paid", "the contract still has fact_payment.paid"),
        ("fact_payment.batch_id", "the contract still has fact_payment.batch_id"),
        ("parrot.note", "'parrot.note' is no table.column"),
        ("fact_payment", "'fact_payment' is no table.column"),
        ("", "no column was named"),
    ):
        with pytest.raises(ContractConflictError, match=message):
            former_columns(text)
