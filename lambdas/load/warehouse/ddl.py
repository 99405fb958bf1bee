"""The warehouse's tables and views as SQL, derived from the contract."""

from collections.abc import Iterator
from dataclasses import replace

from psycopg import sql

from contracts.tables.star import STAR_TABLES
from contracts.tables.table import Column, StarTable
from lambdas.load.warehouse.naming import Places

Statement = sql.Composed


def create_star(places: Places, table: StarTable) -> list[Statement]:
    """Return the statements that create a star table; what it refers to must exist."""
    key = sql.SQL("primary key ({})").format(sql.Identifier(table.primary_key))
    statements = [create_table(places, table, key)]
    if table.record_id:
        statements.append(create_versions_index(places, table, table.record_id))
    return statements


def add_column(places: Places, table: StarTable, column: Column) -> Statement:
    """Return the statement that adds a column which the contract has gained: rows before have no value there."""
    return sql.SQL("alter table {} add column if not exists {}").format(
        places.table(table), _line(places, replace(column, nullable=True))
    )


def create_versions_index(places: Places, table: StarTable, version: str) -> Statement:
    """Return the index by which the versions of a key are found, the newest first."""
    return sql.SQL("create index if not exists {} on {} ({}, {} desc)").format(
        sql.Identifier(f"{places.name(table)}_versions"),
        places.table(table),
        sql.Identifier(table.key),
        sql.Identifier(version),
    )


def create_table(places: Places, table: StarTable, *constraints: sql.Composable) -> Statement:
    """Return the statement that creates a table with the contract's columns."""
    lines = [*_lines(places, table), *constraints]
    return sql.SQL("create table if not exists {} ({})").format(places.table(table), sql.SQL(", ").join(lines))


def _lines(places: Places, table: StarTable) -> Iterator[sql.Composable]:
    for column in table.columns:
        yield _line(places, column)


def _line(places: Places, column: Column) -> sql.Composed:
    line = sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type.warehouse))
    if not column.nullable:
        line += sql.SQL(" not null")
    if column.references:
        target, _, key = column.references.partition(".")
        line += sql.SQL(" references {} ({})").format(places.table(STAR_TABLES[target]), sql.Identifier(key))
    return line
