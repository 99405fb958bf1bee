"""Opening a database from here, to look only."""

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg

from lambdas.errors import DatabaseUnreachableError, LoginRefusedError, SecretError
from lambdas.postgres import connect
from lambdas.secret import read_connection_details
from operate.doctor.finding import Finding, fine
from operate.doctor.kinds import Kind
from operate.doctor.platform import Database, Platform

Connection = psycopg.Connection[Any]
#: Seconds by which two clocks may differ.
CLOCK_SECONDS = 60


def connected(platform: Platform, what: Database) -> Generator[Finding, None, Connection | None]:
    """Connect as the function would, from here; return None when there is no connection, and yield why."""
    secret = platform.secret(what)
    try:
        details = read_connection_details(platform.client("secretsmanager"), secret)
    except SecretError:
        yield Kind.LOGIN_NOT_STORED.found(
            f"The {what} was not asked: secret {secret} holds no usable login.", secret=secret
        )
        return None
    tls = platform.settings.source_tls if what == "source" else platform.settings.warehouse_tls
    names = {"secret": secret, "what": what}
    try:
        connection = connect(details, what=what, secret_id=secret, tls=tls, application_name="totesys-doctor")
    except LoginRefusedError:
        yield Kind.LOGIN_REFUSED.found(f"The {what} refused the login in secret {secret}.", **names)
    except DatabaseUnreachableError as error:
        yield _unreachable(platform, str(error), names)
    else:
        yield fine(f"The {what} answers from here, and takes the login ({_encryption(connection)}).")
        return connection
    return None


def _unreachable(platform: Platform, message: str, names: dict[str, str]) -> Finding:
    if re.search("TLS|certificate", message):
        return Kind.TLS_REFUSED.found(message, **names)
    if platform.settings.vpc_id:
        place = f"The functions run in {platform.settings.vpc_id}, doctor runs here."
        return Kind.NOT_REACHED_FROM_HERE.found(f"{message} {place}", **names)
    return Kind.NOT_REACHED.found(message, **names)


def _encryption(connection: Connection) -> str:
    return "over TLS" if connection.pgconn.ssl_in_use else "without TLS"


@contextmanager
def looking(connection: Connection) -> Iterator[Connection]:
    """Open a transaction that cannot change anything and waits for nobody."""
    connection.read_only = True
    with connection.transaction():
        for name, value in (("statement_timeout", "10s"), ("lock_timeout", "2s"), ("TimeZone", "UTC")):
            connection.execute("select set_config(%s, %s, true)", (name, value))
        yield connection


def row(connection: Connection, statement: Any, *parameters: Any) -> tuple[Any, ...]:
    """Return the one row of a query that has one."""
    found = connection.execute(statement, parameters or None).fetchone()
    assert found is not None  # noqa: S101 - every query here selects one row
    return tuple(found)


def clock(connection: Connection, what: Database) -> Iterator[Finding]:
    """Compare the server's clock with this machine's."""
    before = datetime.now(UTC)
    (there,) = row(connection, "select clock_timestamp()")
    after = datetime.now(UTC)
    seconds = max((before - there).total_seconds(), (there - after).total_seconds())
    if seconds > CLOCK_SECONDS:
        yield Kind.CLOCKS_DIFFER.found(f"The {what}'s clock differs by {seconds:.0f} seconds.")
