"""Whether a load would find, or may make, all that it needs in the warehouse. The catalog tells; nothing is made."""

from typing import Any

import psycopg

from contracts.tables.star import STAR_TABLES
from lambdas.errors import PrivilegeError
from lambdas.load.warehouse.evolution import found_columns, known_columns, lacks
from lambdas.load.warehouse.naming import Naming
from lambdas.load.warehouse.prepare import check_tables, missing_tables, pending_migrations

Connection = psycopg.Connection[Any]


def check_readiness(connection: Connection, naming: Naming) -> None:
    """Check that `lambdas.load.warehouse.prepare.prepare` would succeed with this login.

    Raises
    ------
    WarehouseSchemaError
        Naming every differing column and key.
    PrivilegeError
        Naming every privilege that the login lacks.
    """
    schemas = dict.fromkeys((naming.schema, naming.ledger))
    _demand([f"USAGE on schema {name}" for name in schemas if _is_closed(connection, name)])
    missing = missing_tables(connection, naming)
    lacking = []
    if missing:
        names = ", ".join(naming.name(table) for table in missing)
        lacking += _to_create(connection, naming.schema, f"tables that are missing: {names}")
    if pending_migrations(connection, naming):
        lacking += _to_create(connection, naming.ledger, "the platform's own tables")
    lacking += _on_own_tables(connection, naming.ledger)
    if not _answer(connection, "select has_database_privilege(current_database(), 'TEMPORARY')"):
        lacking.append("TEMPORARY on the database (for staged tables)")
    _demand(lacking)
    known = known_columns(connection, naming)
    has_gained = known is not None and lacks(known)
    if not (
        has_gained and _owns_all(connection, naming)
    ):  # the next load adds the columns that the contract has gained
        check_tables(connection, naming, found_columns(connection, naming.schema))


def _demand(lacking: list[str]) -> None:
    if lacking:
        raise PrivilegeError(f"The warehouse login lacks {'; '.join(lacking)}.")


def _is_closed(connection: Connection, schema: str) -> bool:
    return bool(
        _answer(
            connection, "select not has_schema_privilege(oid, 'USAGE') from pg_namespace where nspname = %s", schema
        )
    )


def _to_create(connection: Connection, schema: str, what: str) -> list[str]:
    """Return the privilege that is lacking to create something in a schema, which may be missing itself."""
    may = _answer(connection, "select has_schema_privilege(oid, 'CREATE') from pg_namespace where nspname = %s", schema)
    if may is None:
        may = _answer(connection, "select has_database_privilege(current_database(), 'CREATE')")
        return [] if may else [f"CREATE on the database (for schema {schema}: {what})"]
    return [] if may else [f"CREATE on schema {schema} ({what})"]


def _on_own_tables(connection: Connection, ledger: str) -> list[str]:
    """Return the tables of the ledger's schema that are somebody else's: migrations alter them, and rebuilds replace them."""
    rows = connection.execute(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = %s and c.relkind in ('r', 'p') and not pg_has_role(c.relowner, 'USAGE') order by 1",
        (ledger,),
    )
    return [f"ownership of {ledger}.{name}" for (name,) in rows]


def _owns_all(connection: Connection, naming: Naming) -> bool:
    names = [naming.name(table) for table in STAR_TABLES.values()]
    owned = _answer(
        connection,
        "select bool_and(pg_has_role(c.relowner, 'USAGE')) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = %s and c.relname = any(%s)",
        *(naming.schema, names),
    )
    return bool(owned)


def _answer(connection: Connection, statement: str, *parameters: Any) -> Any:
    found = connection.execute(statement.encode(), parameters or None).fetchone()
    return found[0] if found else None
