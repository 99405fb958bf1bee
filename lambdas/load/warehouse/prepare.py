"""What a warehouse must be before anything is loaded: made where it is missing, checked where it is there."""

import re
from collections.abc import Callable
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql

from contracts.tables.lake import HISTORIES
from contracts.tables.star import STAR_TABLES
from contracts.tables.table import StarTable
from lambdas.errors import PrivilegeError, WarehouseSchemaError
from lambdas.load.warehouse.ddl import add_column, create_star
from lambdas.load.warehouse.evolution import Columns, apply, evolve, found_columns, known_columns, lacks, remember
from lambdas.load.warehouse.ledger import Ledger
from lambdas.load.warehouse.migrations import Migration, create_list_of_migrations, migrations
from lambdas.load.warehouse.naming import MIGRATION, Naming
from lambdas.load.warehouse.views import comments, digest, views

Connection = psycopg.Connection[Any]
#: Spellings of a wanted type that take each of its values, or refuse it loudly: nothing is cut off in silence.
_FAMILIES = {
    "integer": r"integer|bigint",
    "bigint": r"integer|bigint",
    "varchar": r"character varying(\(\d+\))?|text",
    "time": r"time(\([3-6]\))? without time zone",
    "numeric(10,2)": r"numeric(\(\d+,[2-9]\))?",
}
_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")


def prepare(connection: Connection, naming: Naming, lock: Callable[[], None]) -> dict[str, dict[str, str]]:
    """Create what is missing of schemas, tables and views, apply migrations, and check what is there.

    Called in a transaction; `lock` is called before anything is made.

    Returns
    -------
    dict
        For each star table its columns and their types.

    Raises
    ------
    WarehouseSchemaError
        Naming every missing or differing column, key and table; nothing was changed.
    PrivilegeError
        Naming every privilege that the login lacks; nothing was changed.
    """
    if missing_tables(connection, naming):
        lock()
        _create_missing(connection, naming, missing_tables(connection, naming))
    known = known_columns(connection, naming)
    if known is not None and (changes := evolve(naming, _all_columns(connection, naming), known)):
        lock()
        apply(connection, changes)
    found = found_columns(connection, naming.schema)
    check_tables(connection, naming, found)
    if pending_migrations(connection, naming) or _outdated_views(connection, naming) or lacks(known):
        lock()
        _migrate(connection, naming)
        remember(connection, naming)
        ledger = Ledger(connection, naming)
        # views of tables that an empty ledger does not tell of stay as they are
        if ledger.custody().last or not ledger.filled_facts():
            _show_views(connection, naming)
    return {
        table.name: {name: type_ for name, (type_, _, _) in found[naming.name(table)].items()}
        for table in STAR_TABLES.values()
    }


def missing_tables(connection: Connection, naming: Naming) -> list[StarTable]:
    """Return the star tables that are not there."""
    found = found_columns(connection, naming.schema)
    return [table for table in STAR_TABLES.values() if naming.name(table) not in found]


def _create_missing(connection: Connection, naming: Naming, missing: list[StarTable]) -> None:
    try:
        with connection.transaction():
            _ensure_schema(connection, naming.schema)
            for table in missing:
                for statement in create_star(naming, table):
                    connection.execute(statement)
    except errors.InsufficientPrivilege:
        names = ", ".join(naming.name(table) for table in missing)
        raise PrivilegeError(
            f"Schema {naming.schema} lacks {names}, and the login may not create tables there. Create them (their statements "
            f"are in docs/sql/create_warehouse.sql), set warehouse_schema to where they are, or, where purchase orders "
            f"stand in fact_purchase_order, set warehouse_purchase_orders. Nothing was loaded."
        ) from None


def check_tables(connection: Connection, naming: Naming, found: dict[str, Columns]) -> None:
    """Check the star tables that are there, and what the login may do with them.

    Raises
    ------
    WarehouseSchemaError, PrivilegeError
        As `prepare` does.
    """
    tables = [table for table in STAR_TABLES.values() if naming.name(table) in found]
    differences = [text for table in tables for text in _differences(naming, table, found)]
    unique = _unique_columns(connection, naming.schema)
    for table in tables:
        if (naming.name(table), table.primary_key) not in unique:
            differences.append(f"{naming.name(table)}.{table.primary_key} is neither primary key nor unique")
    if differences:
        raise WarehouseSchemaError(
            f"The warehouse differs from the contract: {'; '.join(differences)}. Nothing was loaded. Alter these tables, "
            f"or load into another schema (setting warehouse_schema)."
        )
    names = {naming.table(table).as_string(connection): naming.name(table) for table in tables}
    rows = connection.execute(
        "select t, p from unnest(%s::text[]) with ordinality n(t, i) cross join unnest(%s::text[]) with ordinality m(p, j) "
        "where not has_table_privilege(t, p) order by i, j",
        (list(names), list(_PRIVILEGES)),
    )
    lacking = [f"{privilege} on {names[table]}" for table, privilege in rows]
    if lacking:
        raise PrivilegeError(f"The warehouse login lacks {', '.join(lacking)}. Grant it; nothing was loaded.")


def _differences(naming: Naming, table: StarTable, found: dict[str, Columns]) -> list[str]:
    name, columns = naming.name(table), found[naming.name(table)]
    differences = []
    for column in table.columns:
        if column.name not in columns:
            statement = add_column(naming, table, column).as_string(None)
            differences.append(f"column {name}.{column.name} is missing ({statement})")
            continue
        type_, is_not_null, _ = columns[column.name]
        if not _fits(type_, column.type.warehouse):
            differences.append(f"column {name}.{column.name} is {type_}, expected {column.type.warehouse}")
        if is_not_null and column.nullable:
            differences.append(f"column {name}.{column.name} is NOT NULL, and the source has rows without it")
    for unknown in sorted(columns.keys() - set(table.column_names)):
        _, is_not_null, has_default = columns[unknown]
        if is_not_null and not has_default:
            differences.append(f"column {name}.{unknown} is unknown, NOT NULL and without a default")
    return differences


def _fits(found: str, wanted: str) -> bool:
    return re.fullmatch(_FAMILIES.get(wanted, re.escape(wanted)), found) is not None


def _all_columns(connection: Connection, naming: Naming) -> dict[str, Columns]:
    """Return the columns of the star tables, and of the tables that the lake has beside them, by the contract's names."""
    stars, own = found_columns(connection, naming.schema), found_columns(connection, naming.ledger)
    found = {table.name: stars[naming.name(table)] for table in STAR_TABLES.values()}
    return found | {table.name: own[table.name] for table in HISTORIES.values() if table.name in own}


def _unique_columns(connection: Connection, schema: str) -> set[tuple[str, str]]:
    """Return tables and columns that a unique index has alone: what an upsert needs."""
    rows = connection.execute(
        "select c.relname, a.attname from pg_index i join pg_class c on c.oid = i.indrelid "
        "join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0] "
        "where n.nspname = %s and i.indisunique and i.indisvalid and i.indnkeyatts = 1 and i.indpred is null",
        (schema,),
    )
    return {(table, column) for table, column in rows}


def pending_migrations(connection: Connection, naming: Naming) -> list[Migration]:
    """Return the migrations of the platform's own tables that are still to be applied.

    Raises
    ------
    WarehouseSchemaError
        When a newer release has been here.
    """
    known = migrations(naming)
    table = naming.own(MIGRATION)
    done = 0
    if _one(connection, "select to_regclass(%s) is not null", table.as_string(connection)):
        done = _one(connection, sql.SQL("select coalesce(max(number), 0) from {}").format(table))
    if done > known[-1].number:
        raise WarehouseSchemaError(
            f"The warehouse's schema {naming.ledger} is at migration {done}, this release knows {known[-1].number}. "
            f"Deploy the release that migrated it, or a newer one. Nothing was loaded."
        )
    return [migration for migration in known if migration.number > done]


def _migrate(connection: Connection, naming: Naming) -> None:
    _ensure_schema(connection, naming.ledger)
    connection.execute(create_list_of_migrations(naming))
    for migration in pending_migrations(connection, naming):
        for statement in migration.statements:
            connection.execute(statement)
        connection.execute(
            sql.SQL("insert into {} (number, description) values (%s, %s)").format(naming.own(MIGRATION)),
            (migration.number, migration.description),
        )


def _view_schema(connection: Connection, naming: Naming) -> str:
    """Return where views stand: with the star tables, or with the ledger where the login may create nothing there."""
    may = _one(connection, "select has_schema_privilege(%s, 'CREATE')", naming.schema)
    return naming.schema if may else naming.ledger


def _outdated_views(connection: Connection, naming: Naming) -> dict[str, sql.SQL]:
    rows = connection.execute(
        "select c.relname, obj_description(c.oid, 'pg_class') from pg_class c where c.relkind = 'v' "
        "and c.relnamespace = to_regnamespace(quote_ident(%s))",
        (_view_schema(connection, naming),),
    )
    found = dict(rows.fetchall())
    return {
        name: query
        for name, query in views(naming).items()
        if digest(name, query.as_string(connection)) not in (found.get(name) or "")
    }


def _show_views(connection: Connection, naming: Naming) -> None:
    schema = _view_schema(connection, naming)
    for name, query in _outdated_views(connection, naming).items():
        view = sql.Identifier(schema, name)
        try:
            with connection.transaction():
                connection.execute(sql.SQL("create or replace view {} as ").format(view) + query)
        except errors.InvalidTableDefinition:  # its columns have changed
            connection.execute(sql.SQL("drop view {}").format(view))
            connection.execute(sql.SQL("create view {} as ").format(view) + query)
        for comment in comments(name, view, query.as_string(connection)):
            connection.execute(comment)


def _ensure_schema(connection: Connection, name: str) -> None:
    # "create schema if not exists" asks for a privilege that a login with its own schema need not have
    if not _one(connection, "select to_regnamespace(quote_ident(%s)) is not null", name):
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(name)))


def _one(connection: Connection, statement: LiteralString | sql.Composed, *parameters: Any) -> Any:
    row = connection.execute(statement, parameters or None).fetchone()
    return row[0] if row else None
