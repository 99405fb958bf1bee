"""The warehouse's tables as SQL, derived from the contract."""

from collections.abc import Iterator
from dataclasses import replace

from psycopg import sql

from contracts.tables.star import STAR_TABLES
from contracts.tables.table import Column, StarTable
from lambdas.load.warehouse.naming import Naming

Statement = sql.Composed


def create_star(naming: Naming, table: StarTable) -> list[Statement]:
    """Return the statements that create a star table; what it refers to must exist."""
    key = sql.SQL("primary key ({})").format(sql.Identifier(table.primary_key))
    statements = [create_table(naming, table, key)]
    if table.record_id:
        statements.append(create_versions_index(naming, table, table.record_id))
    return statements


def add_column(naming: Naming, table: StarTable, column: Column) -> Statement:
    """Return the statement that adds a column which the contract has gained: rows before have no value there."""
    return sql.SQL("alter table {} add column if not exists {}").format(
        naming.table(table), _line(naming, replace(column, nullable=True))
    )


def create_versions_index(naming: Naming, table: StarTable, version: str) -> Statement:
    """Return the index by which the versions of a key are found, the newest first."""
    return sql.SQL("create index if not exists {} on {} ({}, {} desc)").format(
        sql.Identifier(f"{naming.name(table)}_versions"),
        naming.table(table),
        sql.Identifier(table.key),
        sql.Identifier(version),
    )


def create_table(naming: Naming, table: StarTable, *constraints: sql.Composable) -> Statement:
    """Return the statement that creates a table with the contract's columns."""
    lines = [*_lines(naming, table), *constraints]
    return sql.SQL("create table if not exists {} ({})").format(naming.table(table), sql.SQL(", ").join(lines))


def _lines(naming: Naming, table: StarTable) -> Iterator[sql.Composable]:
    for column in table.columns:
        yield _line(naming, column)


def _line(naming: Naming, column: Column) -> sql.Composed:
    line = sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type.warehouse))
    if not column.nullable:
        line += sql.SQL(" not null")
    if column.references:
        target, _, key = column.references.partition(".")
        line += sql.SQL(" references {} ({})").format(naming.table(STAR_TABLES[target]), sql.Identifier(key))
    return line
