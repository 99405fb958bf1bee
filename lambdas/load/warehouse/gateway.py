"""Gateway to the warehouse: its transactions and its lock, and how rows get in. What is written when is decided by `loading`."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NoReturn

import psycopg
import pyarrow as pa
from psycopg import errors, sql
from psycopg.pq import TransactionStatus

from contracts.protocol.publication import Publication
from contracts.tables.lake import SOURCE_DELETION
from contracts.tables.star import FACTS
from contracts.tables.table import Column, StarTable
from lambdas.errors import (
    AnotherLoadError,
    PrivilegeError,
    WarehouseBusyError,
    WarehouseSchemaError,
    WarehouseWriteError,
)
from lambdas.load.custody import Custody
from lambdas.load.warehouse.copy_binary import HEADER, TRAILER, encode
from lambdas.load.warehouse.evolution import drop
from lambdas.load.warehouse.foreign_keys import checked_once
from lambdas.load.warehouse.ledger import Ledger
from lambdas.load.warehouse.limits import Limits
from lambdas.load.warehouse.naming import Naming
from lambdas.load.warehouse.prepare import prepare
from lambdas.load.warehouse.statements import differing_keys, insert, names, stage, undelete, upsert

#: Serialises loads of one warehouse: the name of the platform as a number.
LOCK = int.from_bytes(b"totesys", "big")
#: So many rows, and this share of what a table had, are told to the planner; the server learns of fewer by itself.
ANALYZE_ROWS, ANALYZE_SHARE = 1_000, 0.1
#: Rows from which an empty fact's foreign keys are checked as a set. It is quicker from 150 on, but keeps readers out meanwhile.
SET_ROWS = 1_000

#: What goes away by itself: another session was in the way, or the server or the way to it was gone.
_TRANSIENT = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
)
#: Of those, what stays until somebody does something.
_PERMANENT = (errors.DiskFull, errors.ProgramLimitExceeded)


class Warehouse:
    """The warehouse, as the load uses it.

    Parameters
    ----------
    connection
        An open connection in autocommit mode, so that a transaction is exactly what says so.
    naming
        Where its tables stand.
    limits
        How long its transactions wait, and are waited for.
    """

    def __init__(self, connection: psycopg.Connection[Any], naming: Naming, limits: Limits) -> None:
        self.connection = connection
        self.naming = naming
        self.limits = limits
        self.ledger = Ledger(connection, naming)
        self._types: dict[str, dict[str, str]] = {}

    def prepare(self) -> None:
        """Create what is missing of schemas, tables and views, and check what is there.

        Raises
        ------
        WarehouseSchemaError, PrivilegeError
            Naming everything that is missing or differs; nothing was changed.
        """
        with self.transaction("the warehouse's schema"):
            self._types = prepare(self.connection, self.naming, self.lock)

    def drop_columns(self, columns: Sequence[tuple[StarTable, str]]) -> None:
        """Drop columns that the contract has given up.

        Raises
        ------
        PrivilegeError
            When a table is somebody else's; nothing was dropped.
        """
        with self.transaction("columns that the contract has given up"):
            self.lock()
            drop(self.connection, self.naming, columns)

    def last_batch(self) -> int:
        """Return the newest batch in the ledger, or 0."""
        return self.custody().last

    def custody(self) -> Custody:
        """Return whose the ledger is, and its newest batch."""
        with self.transaction("the ledger"):
            return self.ledger.custody()

    def lock(self, number: int = LOCK) -> None:
        """Wait until no other load is at work, and keep others out until the transaction ends.

        Raises
        ------
        AnotherLoadError
            When the other one takes longer than a lock is waited for.
        """
        try:
            self.connection.execute("select pg_advisory_xact_lock(%s)", (number,))
        except errors.LockNotAvailable:
            raise AnotherLoadError(
                f"Another load is at work on the warehouse: it was waited for {self.limits.lock_seconds} seconds. Nothing was "
                f"changed; that load, or the next one, does what is left."
            ) from None

    def append(self, table: StarTable, batches: Iterable[pa.RecordBatch], expected: int) -> int:
        """Copy `expected` rows straight into a fact's table; return how many they are."""
        target = self.naming.table(table)
        with checked_once(self.connection, target) if expected >= SET_ROWS else nullcontext():
            received = self.copy(table, target, batches)
        self.analyze(target, received)
        return received

    def append_staged(self, table: StarTable, staged: sql.Identifier) -> int:
        """Bring the rows of another table into a fact's; return how many."""
        target = self.naming.table(table)
        with checked_once(self.connection, target):
            received = self.connection.execute(insert(table, self.naming, staged)).rowcount
        self.analyze(target, received)
        return received

    def stage(self, table: StarTable, batches: Iterable[pa.RecordBatch]) -> tuple[sql.Identifier, int]:
        """Copy rows into a temporary table; return it, and how many they are."""
        staged = sql.Identifier(f"stage_{table.name}")
        self.connection.execute(stage(f"stage_{table.name}", table.column_names, self.naming.table(table)))
        received = self.copy(table, staged, batches)
        self.analyze(staged, received)
        return staged, received

    def upsert(self, table: StarTable, staged: sql.Identifier) -> None:
        """Insert or change a dimension's rows; what is written anew is not deleted any more."""
        written = self.connection.execute(upsert(table, self.naming, staged)).rowcount
        self.analyze(self.naming.table(table), written)
        if table.source:
            self.connection.execute(undelete(table, self.naming, staged))

    def replace(self, table: StarTable, staged: sql.Identifier) -> None:
        """Make a history's content the staged rows; keys whose rows are equal are left alone."""
        live = self.naming.table(table)
        self.connection.execute(
            sql.SQL("create temporary table {} on commit drop as ").format(sql.Identifier(f"keys_{table.name}"))
            + differing_keys(table, self.naming, staged)
        )
        among = sql.SQL("{} in (select key from {})").format(
            sql.Identifier(table.key), sql.Identifier(f"keys_{table.name}")
        )
        self.connection.execute(sql.SQL("delete from {} where {}").format(live, among))
        written = self.connection.execute(
            sql.SQL("insert into {live} ({columns}) select {columns} from {stage} where {among}").format(
                live=live, columns=names(table.column_names), stage=staged, among=among
            )
        ).rowcount
        self.analyze(live, written)

    def delete(self, publication: Publication, staged: sql.Identifier) -> None:
        """Record the keys that the batch found deleted; of facts, their versions so far are current no more."""
        deletion = self.naming.table(SOURCE_DELETION)
        last = {t.source: publication.tables[t.name].last_record_id for t in FACTS}
        cases = sql.SQL(" ").join(
            sql.SQL("when {} then {}").format(sql.Literal(source), sql.Literal(record))
            for source, record in last.items()
        )
        written = self.connection.execute(
            sql.SQL(
                "insert into {} (source_table, source_key, batch, deleted_at, last_record_id) "
                "select source_table, source_key, {}, deleted_at, case source_table {} else 0 end from {}"
            ).format(deletion, sql.Literal(publication.batch), cases, staged)
        ).rowcount
        self.analyze(deletion, written)

    def copy(
        self,
        table: StarTable,
        target: sql.Composable,
        batches: Iterable[pa.RecordBatch],
        further: Sequence[Column] = (),
    ) -> int:
        """Copy rows into `target`, which has the columns of `table`, and `further` ones; return how many."""
        found = self._types.get(table.name, {})
        columns = [*table.columns, *further]
        types = [found.get(column.name, column.type.warehouse) for column in columns]
        statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(target, names(c.name for c in columns))
        received = 0
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(HEADER)
            for rows in batches:
                try:
                    copy.write(encode(rows, types))
                except ValueError as error:
                    raise WarehouseSchemaError(
                        f"Table {self.naming.name(table)}: {error}. Its transaction was rolled back; alter the column."
                    ) from None
                received += rows.num_rows
            copy.write(TRAILER)
        return received

    @contextmanager
    def transaction(self, what: str) -> Iterator[None]:
        """Open a transaction with its limits, or a part of one; its errors are explained."""
        is_outermost = self.connection.info.transaction_status == TransactionStatus.IDLE
        try:
            with self.connection.transaction():
                if is_outermost:
                    self.limits.apply(self.connection)
                yield
        except psycopg.Error as error:
            _explain(error, what)

    def analyze(self, target: sql.Identifier, rows: int) -> None:
        """Tell the planner of a table into which many rows came, for what it had."""
        if rows < ANALYZE_ROWS:
            return
        had = self.connection.execute(
            "select reltuples from pg_class where oid = to_regclass(%s)", (target.as_string(self.connection),)
        ).fetchone()
        if had and rows >= had[0] * ANALYZE_SHARE:
            self.connection.execute(sql.SQL("analyze {}").format(target))


def _explain(error: psycopg.Error, what: str) -> NoReturn:
    diag = error.diag
    place = ", ".join(
        f"{label} {value}"
        for label, value in (
            ("table", diag.table_name),
            ("column", diag.column_name),
            ("constraint", diag.constraint_name),
        )
        if value
    )
    if isinstance(error, errors.InsufficientPrivilege):
        raise PrivilegeError(
            f"The warehouse login lacks a privilege for {what}{f' ({place})' if place else ''}. Grant it; nothing of it was "
            f"loaded and the next run goes on."
        ) from None
    kind = (
        WarehouseBusyError
        if isinstance(error, _TRANSIENT) and not isinstance(error, _PERMANENT)
        else WarehouseWriteError
    )
    raise kind(
        f"The warehouse refused {what}: {type(error).__name__} ({error.sqlstate or 'connection lost'}"
        f"{f'; {place}' if place else ''}). Its transaction was rolled back; the next run tries it again."
    ) from None
