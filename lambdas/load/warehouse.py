"""Gateway to the warehouse: one transaction for each publication, under one advisory lock."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import psycopg
import pyarrow as pa
from psycopg import errors, sql

from contracts.publication import Publication
from contracts.star import FACTS, SOURCE_DELETION, STAR_TABLES
from contracts.table import Column, Kind, StarTable
from lambdas.errors import PrivilegeError, WarehouseBusyError, WarehouseSchemaError, WarehouseWriteError
from lambdas.load.binary import HEADER, TRAILER, encode
from lambdas.load.places import BATCH, BATCH_TABLE, Places
from lambdas.load.reconciliation import Reconciliation
from lambdas.load.schema import prepare
from lambdas.load.statements import differing_keys, names, stage, undelete, upsert

#: Serialises loads of one warehouse: the name of the platform as a number.
LOCK = int.from_bytes(b"totesys", "big")
#: More rows than this are told to the planner before they are counted.
ANALYZE_ROWS = 100_000

#: What goes away by itself: another session was in the way, or the server or the way to it was gone.
_PASSING = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
)
#: Of those, what stays until somebody does something.
_LASTING = (errors.DiskFull, errors.ProgramLimitExceeded)


class Warehouse:
    """The warehouse, as the load uses it.

    Parameters
    ----------
    connection
        An open connection in autocommit mode, so that a transaction is exactly what says so.
    places
        Where its tables stand.
    """

    def __init__(self, connection: psycopg.Connection[Any], places: Places) -> None:
        self.connection = connection
        self.places = places
        self._types: dict[str, dict[str, str]] = {}

    def prepare(self) -> None:
        """Create what is missing of schemas, tables and views, and check what is there.

        Raises
        ------
        WarehouseSchemaError, PrivilegeError
            Naming everything that is missing or differs; nothing was changed.
        """
        with self.transaction("the warehouse's schema"):
            self._types = prepare(self.connection, self.places, self.lock)

    def last_batch(self) -> int:
        """Return the newest batch in the ledger, or 0."""
        query = sql.SQL("select coalesce(max(batch), 0) from {}").format(self.places.own(BATCH))
        with self.transaction("the ledger"):
            row = self.connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    def lock(self) -> None:
        """Wait until no other load is at work, and keep others out until the transaction ends."""
        self.connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))

    @contextmanager
    def batch(self, publication: Publication) -> Iterator[Reconciliation | None]:
        """Open the transaction of one publication; it commits when the block ends well.

        Yields
        ------
        Reconciliation or None
            None when the batch is not the next one: another load committed it first.
        """
        with self.transaction(f"batch {publication.batch}"):
            self.lock()
            last = self.last_batch()
            if last != publication.first - 1:
                yield None
                return
            self.record(publication)
            yield Reconciliation(self.connection, self.places, publication, is_first=not last)

    def write(self, table: StarTable, batches: Iterable[pa.RecordBatch], reconciliation: Reconciliation) -> int:
        """Write rows: facts straight into their table, dimensions by staging and upsert.

        Returns
        -------
        int
            The rows received.
        """
        target, is_counted = self.places.table(table), reconciliation.counts_what_is_brought(table)
        if table.kind is Kind.FACT:
            received = self.copy(table, target, batches)
            self._analyze(target, received)
            if is_counted:
                reconciliation.bring(table, target)
            return received
        staged = sql.Identifier(f"stage_{table.name}")
        self.connection.execute(stage(f"stage_{table.name}", table.column_names, target))
        received = self.copy(table, staged, batches)
        self._analyze(staged, received)
        if is_counted:
            reconciliation.bring(table, staged)
        self.connection.execute(upsert(table, self.places, staged))
        if table.source:  # what is written anew is not deleted any more
            self.connection.execute(undelete(table, self.places, staged))
        return received

    def replace(self, table: StarTable, batches: Iterable[pa.RecordBatch]) -> int:
        """Make a history's content the given rows; keys whose rows are equal are left alone."""
        staged, live = sql.Identifier(f"stage_{table.name}"), self.places.table(table)
        self.connection.execute(stage(f"stage_{table.name}", table.column_names, live))
        received = self.copy(table, staged, batches)
        self.connection.execute(
            sql.SQL("create temporary table {} on commit drop as ").format(sql.Identifier(f"keys_{table.name}"))
            + differing_keys(table, self.places, staged)
        )
        among = sql.SQL("{} in (select key from {})").format(
            sql.Identifier(table.key), sql.Identifier(f"keys_{table.name}")
        )
        self.connection.execute(sql.SQL("delete from {} where {}").format(live, among))
        self.connection.execute(
            sql.SQL("insert into {live} ({columns}) select {columns} from {stage} where {among}").format(
                live=live, columns=names(table.column_names), stage=staged, among=among
            )
        )
        return received

    def delete(self, publication: Publication, batches: Iterable[pa.RecordBatch]) -> int:
        """Record the keys that the batch found deleted; of facts, their versions so far are current no more.

        Returns
        -------
        int
            The rows received.
        """
        deletion, staged = self.places.table(SOURCE_DELETION), sql.Identifier("stage_source_deletion")
        self.connection.execute(stage("stage_source_deletion", SOURCE_DELETION.column_names, deletion))
        received = self.copy(SOURCE_DELETION, staged, batches)
        last = {t.source: publication.tables[t.name].last_record_id for t in FACTS}
        cases = sql.SQL(" ").join(
            sql.SQL("when {} then {}").format(sql.Literal(source), sql.Literal(record))
            for source, record in last.items()
        )
        self.connection.execute(
            sql.SQL(
                "insert into {} (source_table, source_key, batch, deleted_at, last_record_id) "
                "select source_table, source_key, {}, deleted_at, case source_table {} else 0 end from {}"
            ).format(deletion, sql.Literal(publication.batch), cases, staged)
        )
        return received

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
                        f"Table {self.places.name(table)}: {error}. Its transaction was rolled back; alter the column."
                    ) from None
                received += rows.num_rows
            copy.write(TRAILER)
        return received

    def record(
        self,
        publication: Publication,
        batch: sql.Identifier | None = None,
        batch_table: sql.Identifier | None = None,
    ) -> None:
        """Write a batch into the ledger, or into tables like those of the ledger."""
        self.connection.execute(
            sql.SQL("insert into {} (batch, snapshot_time, published_at) values (%s, %s, %s)").format(
                batch or self.places.own(BATCH)
            ),
            (publication.batch, publication.snapshot_time, publication.published_at),
        )
        columns = (
            *("batch", "table_name", "inserted", "updated", "deleted", "current_keys", "key_checksum"),
            *("first_record_id", "last_record_id"),
        )
        insert = sql.SQL("insert into {} ({}) values ({})").format(
            batch_table or self.places.own(BATCH_TABLE),
            names(columns),
            sql.SQL(", ").join(sql.Placeholder() * len(columns)),
        )
        for name, star in STAR_TABLES.items():
            table = publication.tables[name]
            if not (table.rows or table.deleted):
                continue
            has_records = star.record_id and table.rows
            ids = (table.first_record_id, table.last_record_id) if has_records else (None, None)
            figures = (table.inserted, table.updated, table.deleted, table.current_keys, table.key_checksum)
            self.connection.execute(insert, (publication.batch, name, *figures, *ids))

    @contextmanager
    def transaction(self, what: str) -> Iterator[None]:
        """Open a transaction, or a part of one; its errors are explained."""
        try:
            with self.connection.transaction():
                yield
        except psycopg.Error as error:
            _explain(error, what)

    def _analyze(self, target: sql.Identifier, rows: int) -> None:
        if rows >= ANALYZE_ROWS:
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
        WarehouseBusyError if isinstance(error, _PASSING) and not isinstance(error, _LASTING) else WarehouseWriteError
    )
    raise kind(
        f"The warehouse refused {what}: {type(error).__name__} ({error.sqlstate or 'connection lost'}"
        f"{f'; {place}' if place else ''}). Its transaction was rolled back; the next run tries it again."
    ) from None
