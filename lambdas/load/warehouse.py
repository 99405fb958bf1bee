"""Gateway to the warehouse: one transaction for each publication, under one advisory lock."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import psycopg
from psycopg import errors, sql

from contracts.publication import Publication
from contracts.star import FACTS, SOURCE_DELETION, STAR_TABLES
from contracts.table import Kind, StarTable
from lambdas.errors import PrivilegeError, WarehouseSchemaError, WarehouseWriteError
from lambdas.load.ddl import create_ledger, create_tables, create_views, view_names

#: Serialises loads of one warehouse: the name of the platform as a number.
LOCK = int.from_bytes(b"totesys", "big")


class Warehouse:
    """The warehouse, as the load uses it.

    Parameters
    ----------
    connection
        An open connection in autocommit mode, so that a transaction is exactly what says so.
    schema, ledger
        Schemas of the star tables and of the ledger.
    """

    def __init__(self, connection: psycopg.Connection[Any], *, schema: str, ledger: str) -> None:
        self._connection = connection
        self._schema = schema
        self._ledger = ledger

    def prepare(self) -> None:
        """Create what is missing of schemas, tables and views, and check what is there.

        Raises
        ------
        WarehouseSchemaError
            Naming every missing or differing column; nothing was changed.
        """
        with self._transaction("the warehouse's schema"):
            found = self._found_columns()
            wanted = {*STAR_TABLES, *view_names()}
            if wanted - found.keys() or not self._has_ledger():
                for statement in (
                    *create_ledger(self._ledger),
                    *create_tables(self._schema),
                    *create_views(self._schema, self._ledger),
                ):
                    self._connection.execute(statement)
                found = self._found_columns()
            _check(found)

    def last_batch(self) -> int:
        """Return the newest batch in the ledger, or 0."""
        query = sql.SQL("select coalesce(max(batch), 0) from {}").format(sql.Identifier(self._ledger, "batch"))
        try:
            row = self._connection.execute(query).fetchone()
        except psycopg.Error as error:
            _explain(error, "the ledger")
        return int(row[0]) if row else 0

    @contextmanager
    def batch(self, publication: Publication) -> Iterator[bool]:
        """Open the transaction of one publication; it commits when the block ends well.

        Yields
        ------
        bool
            Whether the batch is the next one. False when another load committed it first.
        """
        with self._transaction(f"batch {publication.batch}"):
            self._connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            is_next = self.last_batch() == publication.first - 1
            if is_next:
                self._record(publication)
            yield is_next

    def write(self, table: StarTable, rows: Iterable[tuple[bytes, int]]) -> int:
        """Write rows given as CSV: facts straight into their table, dimensions by staging and upsert.

        Returns
        -------
        int
            The rows received.
        """
        target = sql.Identifier(self._schema, table.name)
        if table.kind is Kind.FACT:
            return self._copy(table, target, rows)
        stage = sql.Identifier(f"stage_{table.name}")
        self._connection.execute(
            sql.SQL("create temporary table {} on commit drop as select {} from {} with no data").format(
                stage, _names(table.column_names), target
            )
        )
        received = self._copy(table, stage, rows)
        self._connection.execute(_upsert(table, target, stage))
        if table.source:  # what is written anew is not deleted any more
            self._connection.execute(
                sql.SQL("delete from {} d using {} s where d.source_table = {} and d.source_key = s.{}").format(
                    sql.Identifier(self._ledger, SOURCE_DELETION.name),
                    stage,
                    sql.Literal(table.source),
                    sql.Identifier(table.key),
                )
            )
        return received

    def delete(self, publication: Publication, rows: Iterable[tuple[bytes, int]]) -> int:
        """Record the keys that the batch found deleted; of facts, their versions so far are current no more.

        Returns
        -------
        int
            The rows received.
        """
        stage = sql.Identifier("stage_source_deletion")
        self._connection.execute(
            sql.SQL(
                "create temporary table {} on commit drop as select source_table, source_key, deleted_at from {} "
            ).format(stage, sql.Identifier(self._ledger, SOURCE_DELETION.name))
            + sql.SQL("with no data")
        )
        received = self._copy(SOURCE_DELETION, stage, rows)
        last = {t.source: publication.tables[t.name].last_record_id for t in FACTS}
        cases = sql.SQL(" ").join(
            sql.SQL("when {} then {}").format(sql.Literal(source), sql.Literal(record))
            for source, record in last.items()
        )
        self._connection.execute(
            sql.SQL(
                "insert into {} (source_table, source_key, batch, deleted_at, last_record_id) "
                "select source_table, source_key, {}, deleted_at, case source_table {} else 0 end from {}"
            ).format(sql.Identifier(self._ledger, SOURCE_DELETION.name), sql.Literal(publication.batch), cases, stage)
        )
        return received

    def _copy(self, table: StarTable, target: sql.Composable, rows: Iterable[tuple[bytes, int]]) -> int:
        statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(target, _names(table.column_names))
        received = 0
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for data, count in rows:
                copy.write(data)
                received += count
        return received

    def _record(self, publication: Publication) -> None:
        self._connection.execute(
            sql.SQL("insert into {} (batch, snapshot_time, published_at) values (%s, %s, %s)").format(
                sql.Identifier(self._ledger, "batch")
            ),
            (publication.batch, publication.snapshot_time, publication.published_at),
        )
        insert = sql.SQL(
            "insert into {} (batch, table_name, inserted, updated, first_record_id, last_record_id) "
            "values (%s, %s, %s, %s, %s, %s)"
        ).format(sql.Identifier(self._ledger, "batch_table"))
        for name in STAR_TABLES:
            table = publication.tables[name]
            if table.rows:
                ids = (table.first_record_id, table.last_record_id) if STAR_TABLES[name].record_id else (None, None)
                self._connection.execute(insert, (publication.batch, name, table.inserted, table.updated, *ids))

    def _found_columns(self) -> dict[str, dict[str, tuple[str, bool]]]:
        rows = self._connection.execute(
            "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), "
            "a.attnotnull and not a.atthasdef and a.attidentity = '' "
            "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
            "where n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm')",
            (self._schema,),
        )
        found: dict[str, dict[str, tuple[str, bool]]] = {}
        for table, column, kind, is_required in rows:
            found.setdefault(table, {})[column] = (kind, is_required)
        return found

    def _has_ledger(self) -> bool:
        row = self._connection.execute(
            "select count(*) from pg_tables where schemaname = %s and tablename in ('batch', 'batch_table', %s)",
            (self._ledger, SOURCE_DELETION.name),
        ).fetchone()
        return row is not None and row[0] == 3

    @contextmanager
    def _transaction(self, what: str) -> Iterator[None]:
        try:
            with self._connection.transaction():
                yield
        except psycopg.Error as error:
            _explain(error, what)


def _check(found: dict[str, dict[str, tuple[str, bool]]]) -> None:
    differences = []
    for table in STAR_TABLES.values():
        columns = found[table.name]
        for column in table.columns:
            if column.name not in columns:
                differences.append(f"column {table.name}.{column.name} is missing")
            elif not _fits(columns[column.name][0], column.type.warehouse):
                differences.append(
                    f"column {table.name}.{column.name} is {columns[column.name][0]}, expected {column.type.warehouse}"
                )
        for name in sorted(columns.keys() - set(table.column_names)):
            if columns[name][1]:
                differences.append(f"column {table.name}.{name} is unknown, NOT NULL and without a default")
    if differences:
        raise WarehouseSchemaError(
            f"The warehouse differs from the contract: {'; '.join(differences)}. Nothing was loaded. Alter these tables, "
            f"or load into another schema (setting warehouse_schema)."
        )


def _fits(found: str, wanted: str) -> bool:
    """Tell whether a column takes every value of the wanted type, or refuses it loudly: nothing is cut off in silence."""
    families = {
        "integer": r"integer|bigint",
        "bigint": r"integer|bigint",
        "varchar": r"character varying(\(\d+\))?|text",
        "time": r"time(\([3-6]\))? without time zone",
        "numeric(10,2)": r"numeric(\(\d+,[2-9]\))?",
    }
    return re.fullmatch(families.get(wanted, re.escape(wanted)), found) is not None


def _names(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _upsert(table: StarTable, target: sql.Composable, stage: sql.Composable) -> sql.Composed:
    others = [c for c in table.column_names if c != table.key]
    return sql.SQL(
        "insert into {target} as t ({columns}) select {columns} from {stage} on conflict ({key}) do update set {sets} "
        "where ({old}) is distinct from ({new})"
    ).format(
        target=target,
        stage=stage,
        columns=_names(table.column_names),
        key=sql.Identifier(table.key),
        sets=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(c)) for c in others),
        old=sql.SQL(", ").join(sql.Identifier("t", c) for c in others),
        new=sql.SQL(", ").join(sql.Identifier("excluded", c) for c in others),
    )


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
    raise WarehouseWriteError(
        f"The warehouse refused {what}: {type(error).__name__} ({error.sqlstate or 'connection lost'}"
        f"{f'; {place}' if place else ''}). Its transaction was rolled back; the next run tries it again."
    ) from None
