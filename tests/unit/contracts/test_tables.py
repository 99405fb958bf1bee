"""The contracts themselves: complete, consistent, and spelled as the systems spell them."""

import pycountry
import pytest

from contracts.tables.currencies import CURRENCY_NAMES
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.star import DIMENSIONS, FACTS, STAR_TABLES
from contracts.tables.table import Reading
from local.home import ROOT
from tools.data_dictionary import render


def test_there_are_eleven_tables_of_each_kind():
    assert len(SOURCE_TABLES) == len(STAR_TABLES) == 11
    assert len(FACTS) == 3 and len(DIMENSIONS) == 8


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
