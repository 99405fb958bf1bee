"""The source: whether its login may read all that a batch needs, and whether it is what the contract says."""

from collections.abc import Iterator
from contextlib import closing

import psycopg

from contracts.tables.source import SOURCE_TABLES
from lambdas.errors import PrivilegeError, SourceSchemaError
from lambdas.extract.schema_check import check_schema
from lambdas.extract.shapes import read_catalog
from operate.doctor.checks.database import Connection, clock, connected, looking, row
from operate.doctor.finding import Finding, fine
from operate.doctor.kinds import Kind
from operate.doctor.platform import Platform

#: The functions that tell what a snapshot sees (pg_current_snapshot and its like) came with 13.
LEAST_VERSION = 13_00_00
#: Two extractions that overlap have two connections each: one reads, one looks whether somebody waits.
LEAST_CONNECTIONS = 4
_IDENTITY = {
    "pg_control_system()": "select system_identifier from pg_control_system()",
    "pg_control_checkpoint()": "select timeline_id from pg_control_checkpoint()",
    "pg_walfile_name()": "select case when not pg_is_in_recovery() then pg_walfile_name(pg_current_wal_insert_lsn()) end",
}


def check_source(platform: Platform) -> Iterator[Finding]:
    """Look at the source with the login that the extract function has."""
    connection = yield from connected(platform, "source")
    if connection is None:
        return
    with closing(connection), looking(connection):
        if connection.info.server_version < LEAST_VERSION:
            yield Kind.SOURCE_VERSION.found(f"The source is PostgreSQL {connection.info.server_version // 10000}.")
            return
        yield from _grants(connection, platform.settings.source_schema)
        yield from _schema(connection, platform.settings.source_schema)
        yield from _identity(connection)
        yield from _login(connection)
        yield from _standby(connection)
        yield from clock(connection, "source")


def _grants(connection: Connection, schema: str) -> Iterator[Finding]:
    rows = connection.execute(
        "select c.relname, has_table_privilege(c.oid, 'SELECT'), has_schema_privilege(n.oid, 'USAGE'), quote_ident(n.nspname) "
        "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = %s and c.relname = any(%s) and c.relkind in ('r', 'p') order by 1",
        (schema, list(SOURCE_TABLES)),
    ).fetchall()
    lacking = [name for name, may_read, _, _ in rows if not may_read]
    statements, texts = [], []
    if rows and not rows[0][2]:
        statements.append(f"GRANT USAGE ON SCHEMA {rows[0][3]} TO <the secret's username>;")
        texts.append(f"USAGE on schema {schema}")
    if lacking:
        tables = ", ".join(f"{rows[0][3]}.{name}" for name in lacking)
        statements.append(f"GRANT SELECT ON {tables} TO <the secret's username>;")
        texts.append(f"SELECT on {', '.join(lacking)}")
    if texts:
        yield Kind.SOURCE_GRANT.found(
            f"The source's login lacks {' and '.join(texts)}.", statement=" ".join(statements)
        )


def _schema(connection: Connection, schema: str) -> Iterator[Finding]:
    try:
        check_schema(read_catalog(connection, schema))
    except SourceSchemaError as error:
        yield Kind.SOURCE_SCHEMA.found(f"Schema {schema}: {error}")
    except PrivilegeError as error:
        yield Kind.SOURCE_ROWS_HIDDEN.found(str(error))
    else:
        yield fine(f"All {len(SOURCE_TABLES)} tables are what the contract says.")


def _identity(connection: Connection) -> Iterator[Finding]:
    refused = [name for name, statement in _IDENTITY.items() if not _answers(connection, statement)]
    if refused:
        yield Kind.SOURCE_IDENTITY.found(f"The source refuses {', '.join(refused)}.")


def _answers(connection: Connection, statement: str) -> bool:
    try:
        with connection.transaction():
            connection.execute(statement.encode())
    except psycopg.DatabaseError:
        return False
    return True


def _login(connection: Connection) -> Iterator[Finding]:
    limit, is_read_only = row(
        connection,
        "select rolconnlimit, current_setting('default_transaction_read_only') = 'on' from pg_roles "
        "where rolname = current_user",
    )
    if 0 <= limit < LEAST_CONNECTIONS:
        yield Kind.SOURCE_CONNECTIONS.found(
            f"The source's login may open {limit} connections; overlapping extractions need {LEAST_CONNECTIONS}."
        )
    if not is_read_only:
        yield Kind.SOURCE_MAY_WRITE.found("default_transaction_read_only is off for the source's login.")


def _standby(connection: Connection) -> Iterator[Finding]:
    is_standby, feedback, wal_level = row(
        connection,
        "select pg_is_in_recovery(), current_setting('hot_standby_feedback') = 'on', current_setting('wal_level')",
    )
    role = "a standby" if is_standby else "a primary"
    version = connection.info.server_version // 10000
    yield fine(f"The source is PostgreSQL {version}, {role}, wal_level {wal_level}.")
    yield from standby_findings(is_standby=is_standby, has_feedback=feedback)


def standby_findings(*, is_standby: bool, has_feedback: bool) -> Iterator[Finding]:
    """Tell of a standby whose primary may remove rows while they are read."""
    if is_standby and not has_feedback:
        yield Kind.SOURCE_STANDBY.found("The source is a standby, and hot_standby_feedback is off.")
