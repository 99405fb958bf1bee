"""Gateway to the source: one read-only snapshot for all tables.

The reading rule rests on the PostgreSQL manual's chapters on snapshot information functions and
system columns: ``pg_snapshot_xmin`` is below every transaction that was still running, so a row
version that the previous snapshot could not see has an ``xmin`` at or after the horizon recorded
then. ``age()`` compares transaction ids safely across wrap-around and needs only SELECT.
"""

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn

import psycopg
from psycopg import errors, sql
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from contracts.batch import SourceIdentity
from contracts.checksum import mix_sql
from contracts.source import IGNORED_TABLES
from contracts.table import SourceTable
from lambdas.errors import PrivilegeError, SourceReadError

CHUNK_BYTES = 64 * 2**10
#: A horizon further back than this (in transactions) is not comparable by age(), with room to spare.
COMPARABLE_AGE = 2**31 - 10**8

# The timeline that is written now: the control file learns of a promotion only with the next checkpoint.
_TIMELINE = sql.SQL(
    "case when pg_is_in_recovery() then (select timeline_id from pg_control_checkpoint()) "
    "else ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int end"
)


class Chunk(NamedTuple):
    """Whole rows of CSV, how many, and the key of the last one; the header comes first, with 0 rows."""

    data: bytes
    rows: int
    last_key: int = 0


@dataclass(frozen=True, slots=True)
class ColumnFound:
    """A column as the source's catalog describes it; `type` is normalised, see `normalise_type`."""

    name: str
    type: str
    is_key: bool


@dataclass(frozen=True, slots=True)
class Survey:
    """What a table holds: its rows, its key checksum, and how many rows changed since the horizon; None: not counted."""

    count: int
    key_checksum: int
    changed: int | None


class Snapshot:
    """All that one extraction asks of the source, inside one REPEATABLE READ transaction."""

    def __init__(self, connection: psycopg.Connection[Any], schema: str) -> None:
        self._connection = connection
        self._schema = schema

    def position(self) -> tuple[SourceIdentity, int, int, datetime]:
        """Return the source's identity, the horizon, the next transaction id (both 64-bit), and the transaction's start in UTC."""
        with self._explained("pg_control_system()"):
            row = self._row(
                sql.SQL(
                    "select (select system_identifier::text from pg_control_system()), "
                    "{timeline}, "
                    "(select oid::bigint from pg_database where datname = current_database()), "
                    "pg_snapshot_xmin(pg_current_snapshot())::text::bigint, "
                    "pg_snapshot_xmax(pg_current_snapshot())::text::bigint, now()"
                ).format(timeline=_TIMELINE)
            )
        identity = SourceIdentity(system_identifier=row[0], timeline=row[1], database_oid=row[2])
        return identity, row[3], row[4], row[5].astimezone(UTC)

    def columns(self) -> dict[str, dict[str, ColumnFound]]:
        """Return the columns of every table in the schema, by table and name."""
        query = sql.SQL(
            "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), t.typtype = 'e', "
            "coalesce(a.attnum = any(i.indkey) and i.indnkeyatts = 1, false) "
            "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
            "join pg_type t on t.oid = a.atttypid left join pg_index i on i.indrelid = c.oid and i.indisprimary "
            "where n.nspname = {schema} and c.relkind in ('r', 'p') order by c.relname, a.attnum"
        ).format(schema=sql.Literal(self._schema))
        found: dict[str, dict[str, ColumnFound]] = {}
        with self._explained("the system catalog"):
            for table, name, type_name, is_enum, is_key in self._connection.execute(query):
                if table not in IGNORED_TABLES:
                    kind = "enum" if is_enum else normalise_type(type_name)
                    found.setdefault(table, {})[name] = ColumnFound(name, kind, is_key)
        return found

    def survey(self, table: SourceTable, horizon: int | None, *, count_changed: Callable[[int], bool]) -> Survey:
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
        with self._explained(f"table {table.name}"):
            count, checksum = self._row(total)
            if horizon is None or not count_changed(count):
                return Survey(count, checksum, count if horizon is None else None)
            changed = sql.SQL("select count(*) from {} where {}").format(self._table(table), _changed_since(horizon))
            return Survey(count, checksum, self._row(changed)[0])

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
        with self._explained(f"table {table.name}"):
            yield from self._copied(query.as_bytes(self._connection))

    def copy_keys(self, table: SourceTable) -> Generator[Chunk]:
        """Stream the complete list of a table's keys as CSV, like `copy`."""
        return self.copy(table, [table.key], None)

    def _copied(self, statement: bytes) -> Generator[Chunk]:
        """Run a COPY on libpq itself: a third faster than psycopg's cursor, and the same protocol.

        PostgreSQL sends one CopyData message for each row, the header being the first.
        """
        pgconn = self._connection.pgconn
        started = pgconn.exec_(statement)
        if started.status != ExecStatus.COPY_OUT:
            raise errors.error_from_result(started)
        is_complete = False
        try:
            _, header = pgconn.get_copy_data(0)
            yield Chunk(bytes(header), 0)
            buffer, rows = bytearray(), 0
            last: bytes | memoryview = b""
            while True:
                size, row = pgconn.get_copy_data(0)
                if size < 0:
                    break
                buffer += row
                rows += 1
                last = row
                if len(buffer) >= CHUNK_BYTES:
                    yield Chunk(bytes(buffer), rows, _first_field(last))
                    buffer, rows = bytearray(), 0
            is_complete = True
        finally:
            if not is_complete:
                _abandon_copy(pgconn)
        while ended := pgconn.get_result():
            if ended.status != ExecStatus.COMMAND_OK:
                raise errors.error_from_result(ended)
        if rows:
            yield Chunk(bytes(buffer), rows, _first_field(last))

    def _table(self, table: SourceTable) -> sql.Identifier:
        return sql.Identifier(self._schema, table.name)

    def _row(self, query: sql.SQL | sql.Composed) -> tuple[Any, ...]:
        row = self._connection.execute(query).fetchone()
        if row is None:  # every query here aggregates or selects one row
            raise SourceReadError(
                "The source answered a query of one row with none. Report this; nothing was committed."
            )
        return tuple(row)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            _explain(error, what)


@contextmanager
def open_snapshot(
    connection: psycopg.Connection[Any], *, schema: str, statement_timeout_seconds: int, lock_timeout_seconds: int
) -> Iterator[Snapshot]:
    """Open the one transaction of an extraction: REPEATABLE READ, READ ONLY, with time limits.

    Raises
    ------
    SourceReadError
        When the connection breaks; no batch was committed.
    """
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    settings = {
        "statement_timeout": f"{statement_timeout_seconds}s",
        "lock_timeout": f"{lock_timeout_seconds}s",
        "idle_in_transaction_session_timeout": f"{statement_timeout_seconds}s",
        "DateStyle": "ISO, YMD",
        "TimeZone": "UTC",
        "synchronize_seqscans": "off",  # equal content is read in equal order
    }
    try:
        with connection.transaction():
            for name, value in settings.items():
                connection.execute("select set_config(%s, %s, true)", (name, value))
            yield Snapshot(connection, schema)
    except psycopg.Error as error:
        _explain(error, "the source")


def _first_field(row: bytes | memoryview) -> int:
    """Return the key of a row of CSV: its first field, a number."""
    return int(bytes(row).split(b",", 1)[0])


def _abandon_copy(pgconn: PGconn) -> None:
    """End a COPY whose rows nobody wants any more, so that its transaction can be rolled back."""
    with suppress(psycopg.Error):
        pgconn.get_cancel().cancel()
        while pgconn.get_copy_data(0)[0] >= 0:
            pass
    while pgconn.get_result():
        pass


def normalise_type(type_name: str) -> str:
    """Drop a length or precision that does not limit the values as the contract sees them.

    Examples
    --------
    >>> normalise_type("character varying(3)"), normalise_type("numeric(10,2)")
    ('character varying', 'numeric(10,2)')
    """
    return type_name if type_name.startswith("numeric") else re.sub(r"\(\d+\)", "", type_name)


def _changed_since(horizon: int) -> sql.Composable:
    # xid is 32 bits: the epoch is dropped here, and the caller made sure that the age is comparable. A row that
    # was frozen more than 2^31 transactions ago shows a negative age: it is older than any horizon.
    return sql.SQL("age(xmin) between 0 and age({}::xid)").format(sql.Literal(str(horizon % 2**32)))


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
