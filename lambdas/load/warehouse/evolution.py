"""How the warehouse's own tables follow a contract that has grown or shrunk.

The ledger keeps which columns the platform has known. A column that is missing and was never known is one that the contract
has gained: it is added, without a value for the rows before. One that is missing and was known has been dropped by somebody:
that is told, because its values would be lost in silence. A column that the contract has given up stays until somebody asks
for its removal (`drop`); meanwhile it may be NULL.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import errors, sql

from contracts.tables.first import FIRST_COLUMNS
from contracts.tables.lake import HISTORIES
from contracts.tables.star import STAR_TABLES
from contracts.tables.table import StarTable
from lambdas.errors import PrivilegeError
from lambdas.load.warehouse.ddl import add_column, create_table, create_versions_index
from lambdas.load.warehouse.naming import BATCH, BESIDE, STAR_COLUMN, Naming

Connection = psycopg.Connection[Any]
#: Column → its type as ``format_type()`` spells it, whether it is NOT NULL, and whether it has a default.
Columns = dict[str, tuple[str, bool, bool]]
#: Tables that follow the contract, and the columns of each that the platform has known.
Known = frozenset[tuple[str, str]]

_TABLES: dict[str, StarTable] = {**STAR_TABLES, **{table.name: table for table in HISTORIES.values()}}


def found_columns(connection: Connection, schema: str) -> dict[str, Columns]:
    """Return the tables of a schema and their columns."""
    rows = connection.execute(
        "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
        "a.atthasdef or a.attidentity <> '' from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
        "where n.nspname = %s and c.relkind in ('r', 'p')",
        (schema,),
    )
    found: dict[str, Columns] = {}
    for table, column, kind, is_not_null, has_default in rows:
        found.setdefault(table, {})[column] = (kind, is_not_null, has_default)
    return found


def known_columns(connection: Connection, naming: Naming) -> Known | None:
    """Return the columns that the platform has known: those of the first contract where a release was here that kept none.

    None in a warehouse without a ledger.
    """
    table = naming.own(STAR_COLUMN)
    row = connection.execute("select to_regclass(%s) is not null", (table.as_string(connection),)).fetchone()
    if not row or not row[0]:
        batch = naming.own(BATCH).as_string(connection)
        row = connection.execute("select to_regclass(%s) is not null", (batch,)).fetchone()
        return frozenset((t, c) for t, columns in FIRST_COLUMNS.items() for c in columns) if row and row[0] else None
    return frozenset(connection.execute(sql.SQL("select table_name, column_name from {}").format(table)).fetchall())


def lacks(known: Known | None) -> bool:
    """Tell whether the contract has columns that are not known yet."""
    return known is None or any((t.name, c.name) not in known for t in _TABLES.values() for c in t.columns)


def remember(connection: Connection, naming: Naming) -> None:
    """Keep that every column of the contract is known."""
    pairs = [(table.name, column.name) for table in _TABLES.values() for column in table.columns]
    connection.execute(
        sql.SQL(
            "insert into {} (table_name, column_name) select * from unnest(%s::text[], %s::text[]) "
            "on conflict (table_name, column_name) do nothing"
        ).format(naming.own(STAR_COLUMN)),
        ([table for table, _ in pairs], [column for _, column in pairs]),
    )


def evolve(naming: Naming, found: Mapping[str, Columns], known: Known) -> list[sql.Composed]:
    """Return the statements by which the tables follow the contract; none when nothing has changed.

    Parameters
    ----------
    found
        The tables as they are, by the contract's names.
    """
    statements = []
    tables_known = {table for table, _ in known}
    for table in HISTORIES.values():
        if table.name not in found and table.name not in tables_known:
            statements += [create_table(naming, table), create_versions_index(naming, table, "valid_from")]
    for name, columns in found.items():
        table, known_here = _TABLES[name], {column for owner, column in known if owner == name}
        statements += [
            add_column(naming, table, column)
            for column in table.columns
            if column.name not in columns and column.name not in known_here and known_here
        ]
        statements += [
            sql.SQL("alter table {} alter column {} drop not null").format(naming.table(table), sql.Identifier(column))
            for column, (_, is_not_null, has_default) in columns.items()
            if is_not_null and not has_default and column in known_here and column not in table.column_names
        ]
    return statements


def apply(connection: Connection, statements: Sequence[sql.Composed]) -> None:
    """Change the tables that the login owns; what is left differs from the contract, and that is told by who checks it."""
    for statement in statements:
        try:
            with connection.transaction():
                connection.execute(statement)
        except errors.InsufficientPrivilege:  # only the owner may
            continue


def drop(connection: Connection, naming: Naming, columns: Sequence[tuple[StarTable, str]]) -> None:
    """Drop columns that the contract has given up, as far as they are there.

    Raises
    ------
    PrivilegeError
        When a table is somebody else's; nothing was dropped.
    """
    for table, column in columns:
        found = found_columns(connection, naming.ledger if table.name in BESIDE else naming.schema)
        if column not in found.get(naming.name(table), {}):
            continue
        try:
            connection.execute(
                sql.SQL("alter table {} drop column if exists {}").format(naming.table(table), sql.Identifier(column))
            )
        except errors.InsufficientPrivilege:
            raise PrivilegeError(
                f"The warehouse login does not own {naming.name(table)}: its owner must drop {column}. Nothing was dropped."
            ) from None
        connection.execute(
            sql.SQL("delete from {} where table_name = %s and column_name = %s").format(naming.own(STAR_COLUMN)),
            (table.name, column),
        )
