"""Gateway to the source: one read-only snapshot for all tables.

The reading rule rests on the PostgreSQL manual's chapters on snapshot information functions and
system columns: ``pg_snapshot_xmin`` is below every transaction that was still running, so a row
version that the previous snapshot could not see has an ``xmin`` at or after the horizon recorded
then. ``age()`` compares transaction ids safely across wrap-around and needs only SELECT.
"""

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

import psycopg
from psycopg import errors, sql

from contracts.checksum import mix_sql
from contracts.protocol.manifest import SourceIdentity
from contracts.tables.table import SourceTable
from lambdas.errors import AnotherExtractionError, PrivilegeError, SourceReadError
from lambdas.extract.copying import KEYS, Chunk, copy_out
from lambdas.extract.identity import read_identity
from lambdas.extract.lease import lease_statement
from lambdas.extract.shapes import Relation, moved_tables, read_catalog

#: A horizon further back than this (in transactions) is not comparable by age(), with room to spare.
COMPARABLE_AGE = 2**31 - 10**8
_POSITION = sql.SQL(
    "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint, "
    "now(), pg_postmaster_start_time(), (select reset_val from pg_settings where name = 'TimeZone'), pg_backend_pid()"
)


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the source's history a snapshot is.

    Attributes
    ----------
    identity
        Of the database.
    horizon, next_xid
        The oldest transaction that was running, and the next one to come; 64-bit.
    snapshot_time
        When the transaction began, UTC, by the source's clock.
    server_started
        When the server was started, UTC, as text.
    time_zone
        Zone in which the server writes timestamps without one, unless a session says otherwise.
    backend_pid
        The session on the server.
    """

    identity: SourceIdentity
    horizon: int
    next_xid: int
    snapshot_time: datetime
    server_started: str = ""
    time_zone: str = ""
    backend_pid: int = 0


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """What a table holds: its rows, its key checksum, and how many rows changed since the horizon; None: not counted."""

    count: int
    key_checksum: int
    changed: int | None


class Snapshot:
    """All that one extraction asks of the source, inside one REPEATABLE READ transaction."""

    def __init__(self, connection: psycopg.Connection[Any], schema: str) -> None:
        self._connection = connection
        self._schema = schema

    def position(self) -> Position:
        """Return where in the source's history the snapshot is."""
        with explained("the snapshot's transaction ids"):
            identity = read_identity(self._connection)
            horizon, next_xid, taken, started, zone, pid = self._row(_POSITION)
        since = started.astimezone(UTC).isoformat(timespec="microseconds")
        return Position(identity, horizon, next_xid, taken.astimezone(UTC), since, zone or "", pid)

    def catalog(self) -> dict[str, Relation]:
        """Return every table in the schema, as the snapshot saw it."""
        with explained("the system catalog"):
            return read_catalog(self._connection, self._schema)

    def moved(self, tables: Collection[str]) -> list[str]:
        """Return those of `tables`, which have been counted, that are not what the snapshot saw."""
        with explained("the system catalog"):
            return moved_tables(self._connection, self._schema, tables)

    def newest_versions(self, table: SourceTable, limit: int) -> list[tuple[int, int]]:
        """Return key and ``xmin`` of the newest row versions; reads the whole table once."""
        return self._versions(
            table, sql.SQL(" where age(xmin) >= 0 order by age(xmin) limit {}").format(sql.Literal(limit))
        )

    def highest_keys(self, table: SourceTable, limit: int) -> list[tuple[int, int]]:
        """Return key and ``xmin`` of the rows with the highest keys; the primary key's index has them."""
        key = sql.Identifier(table.name, table.key)
        return self._versions(table, sql.SQL(" order by {} desc limit {}").format(key, sql.Literal(limit)))

    def versions_of(self, table: SourceTable, keys: Collection[int]) -> list[tuple[int, int]]:
        """Return key and ``xmin`` of the rows with these keys."""
        return self._versions(table, sql.SQL(" where {} ").format(self._among(table, keys)))

    def versions_since(
        self, table: SourceTable, since: int, horizon: int, keys: Collection[int]
    ) -> list[tuple[int, int]]:
        """Return key and ``xmin`` of rows that transactions from `since` on and below `horizon` wrote, and of `keys`."""
        between = sql.SQL("age(xmin) > age({}::xid) and age(xmin) <= age({}::xid)").format(_xid(horizon), _xid(since))
        return self._versions(table, sql.SQL(" where {} or {} limit 10000").format(between, self._among(table, keys)))

    def _versions(self, table: SourceTable, rest: sql.Composable) -> list[tuple[int, int]]:
        query = sql.SQL("select {}::bigint, xmin::text::bigint from {}").format(
            sql.Identifier(table.key), self._table(table)
        )
        with explained(f"table {table.name}"):
            return [(key, xmin) for key, xmin in self._connection.execute(query + rest)]

    def _among(self, table: SourceTable, keys: Collection[int]) -> sql.Composed:
        return sql.SQL("{} = any({}::bigint[])").format(sql.Identifier(table.key), sql.Literal(list(keys)))

    def statistics(
        self, table: SourceTable, horizon: int | None, *, count_changed: Callable[[int], bool]
    ) -> TableStatistics:
        """Count the rows of `table`; without a `horizon` every row counts as changed.

        Parameters
        ----------
        count_changed
            Tells from the number of rows whether those that changed are worth a second scan.
        """
        key = sql.Identifier(table.key).as_string(self._connection)
        # Nothing here keeps PostgreSQL from scanning in parallel; age() would.
        total = sql.SQL("select count(*), coalesce(sum({mix}), 0)::bigint from {table}").format(
            mix=sql.SQL(mix_sql(key)), table=self._table(table)
        )
        with explained(f"table {table.name}"):
            count, checksum = self._row(total)
            if horizon is None or not count_changed(count):
                return TableStatistics(count, checksum, count if horizon is None else None)
            changed = sql.SQL("select count(*) from {} where {}").format(self._table(table), _changed_since(horizon))
            return TableStatistics(count, checksum, self._row(changed)[0])

    def copy(
        self,
        table: SourceTable,
        columns: Sequence[str],
        horizon: int | None,
        *,
        in_order: bool = False,
        after: int | None = None,
    ) -> Generator[Chunk]:
        """Stream `columns` of the rows changed since `horizon` (or all) as CSV.

        NULL is an unquoted empty field and an empty string a quoted one, as COPY writes them.

        Parameters
        ----------
        columns
            The key comes first.
        in_order
            Whether rows come in the order of the key, so that a later call can go on `after` the last one.
        after
            Only rows with a greater key; None for all.

        Yields
        ------
        Chunk
            The header, then some 64 KiB of rows at a time.

        Raises
        ------
        PrivilegeError, SourceReadError
            When the source fails; nothing of what was yielded may be used.
        """
        key = sql.Identifier(table.key)
        conditions = [] if horizon is None else [_changed_since(horizon)]
        if after is not None:
            conditions.append(sql.SQL("{} > {}").format(key, sql.Literal(after)))
        query = sql.SQL(
            "copy (select {columns} from {table}{where}{order}) to stdout (format csv, header true)"
        ).format(
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            table=self._table(table),
            where=sql.SQL(" where ") + sql.SQL(" and ").join(conditions) if conditions else sql.SQL(""),
            order=sql.SQL(" order by {}").format(key) if in_order else sql.SQL(""),
        )
        with explained(f"table {table.name}"):
            statement = query.as_bytes(self._connection)
            yield from copy_out(self._connection.pgconn, statement, KEYS if horizon is not None else 0)

    def copy_keys(self, table: SourceTable) -> Generator[Chunk]:
        """Stream the complete list of a table's keys as CSV, like `copy`."""
        return self.copy(table, [table.key], None)

    def _table(self, table: SourceTable) -> sql.Identifier:
        return sql.Identifier(self._schema, table.name)

    def _row(self, query: sql.SQL | sql.Composed) -> tuple[Any, ...]:
        row = self._connection.execute(query).fetchone()
        if row is None:  # every query here aggregates or selects one row
            raise SourceReadError(
                "The source answered a query of one row with none. Nothing was committed; the next run asks again."
            )
        return tuple(row)


@contextmanager
def open_snapshot(
    connection: psycopg.Connection[Any],
    *,
    schema: str,
    lease: int,
    statement_timeout_seconds: int,
    lock_timeout_seconds: int,
) -> Iterator[Snapshot]:
    """Open the one transaction of an extraction: REPEATABLE READ, READ ONLY, with time limits, alone with the lease.

    Parameters
    ----------
    lease
        See `lambdas.extract.lease.lease_key`.

    Raises
    ------
    AnotherExtractionError
        When another extraction has the lease; nothing was read.
    SourceReadError
        When the connection breaks; no batch was committed.
    """
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    settings = {
        "statement_timeout": f"{statement_timeout_seconds}s",
        "lock_timeout": f"{lock_timeout_seconds}s",
        "idle_in_transaction_session_timeout": f"{statement_timeout_seconds}s",
        "row_security": "off",  # a policy that would hide rows makes the reading fail
        "DateStyle": "ISO, YMD",
        "TimeZone": "UTC",
        "synchronize_seqscans": "off",  # equal content is read in equal order
    }
    statement, values = lease_statement(lease, settings, connection.info.server_version)
    with explained("the source"), connection.transaction():
        row = connection.execute(statement.encode(), values).fetchone()
        if not row or not row[0]:
            raise AnotherExtractionError(
                "Another extraction is at work. Nothing was read or committed. It commits what has changed; what this one was "
                "asked for beside that must be asked for again."
            )
        yield Snapshot(connection, schema)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an error of the database into one that says what was being read and what to do, and nothing of its content."""
    try:
        yield
    except psycopg.Error as error:
        _explain(error, what)


def _changed_since(horizon: int) -> sql.Composable:
    # xid is 32 bits: the epoch is dropped here, and the caller made sure that the age is comparable. A row that
    # was frozen more than 2^31 transactions ago shows a negative age: it is older than any horizon.
    return sql.SQL("age(xmin) between 0 and age({}::xid)").format(_xid(horizon))


def _xid(number: int) -> sql.Literal:
    return sql.Literal(str(number % 2**32))


def _explain(error: psycopg.Error, what: str) -> NoReturn:
    state = error.sqlstate or "connection lost"
    if isinstance(error, errors.InsufficientPrivilege):
        raise PrivilegeError(
            f"The source login may not read {what}. Grant it SELECT there; no batch was committed and the next run goes on."
        ) from None
    if isinstance(error, errors.QueryCanceled | errors.LockNotAvailable):
        raise SourceReadError(
            f"Reading {what} took or waited too long ({state}). No batch was committed; the next run reads the same rows again."
        ) from None
    raise SourceReadError(
        f"Reading {what} failed ({state}, {type(error).__name__}). No batch was committed; the next run reads the same rows again."
    ) from None
