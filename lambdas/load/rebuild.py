"""Rebuild: the warehouse anew from the lake's current files, beside the live tables, and exchanged in one transaction.

The files are copied into tables of the ledger's schema, one transaction a file, so a rebuild that is stopped goes on where
it was. Then one transaction makes the live tables' content theirs, by difference: readers see the old content until it
commits and the new one afterwards, grants and views stay, and no privilege but DML is needed. What was loaded meanwhile is
loaded again in the same transaction: the warehouse never goes back.
"""

from collections.abc import Callable, Iterable
from itertools import islice

from psycopg import sql

from contracts.protocol.listing import LISTED_TABLES, Listing
from contracts.protocol.publication import DataFile, Publication
from contracts.tables.lake import HISTORIES, LINEAGE, SOURCE_DELETION
from contracts.tables.star import DIM_DATE, FACTS, STAR_TABLES
from contracts.tables.table import Kind, StarTable
from lambdas.errors import ReconciliationError
from lambdas.load.custody import Custody, Owner, check_follows
from lambdas.load.lake_files import LakeFiles
from lambdas.load.loading import RowsOfFiles, write_publication
from lambdas.load.reconciliation import Reconciliation
from lambdas.load.staged_load import discard
from lambdas.load.warehouse.foreign_keys import checked_once
from lambdas.load.warehouse.gateway import Warehouse
from lambdas.load.warehouse.naming import BATCH, BATCH_TABLE, REBUILD_FILE, VERIFICATION
from lambdas.load.warehouse.statements import (
    delete_keys,
    delete_others,
    insert,
    insert_missing,
    names,
    rebuilt_deletions,
    upsert,
)

#: Serialises rebuilds of one warehouse; loads go on meanwhile.
LOCK = int.from_bytes(b"rebuild", "big")
#: Publications written to the new ledger in one transaction.
PUBLICATIONS = 100
#: By which it is told whether a row came back after its key was deleted.
_BATCH_ID = LINEAGE[0]


class Rebuild:
    """One rebuild of one warehouse.

    Parameters
    ----------
    listing
        The lake's files. A rebuild that another listing began keeps the files that both have.
    owner
        Whose the warehouse then is.
    check
        What refuses a ledger that may not be replaced; None when the warehouse is taken over, whatever it was.

    Attributes
    ----------
    copied
        How many files this run has copied.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        lake: LakeFiles,
        listing: Listing,
        owner: Owner,
        check: Callable[[Custody], None] | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._run = warehouse.connection.execute
        self._naming = warehouse.naming
        self._lake = lake
        self._listing = listing
        self._owner = owner
        self._check = check
        self.copied = 0

    def fill(self, publications_after: Callable[[int], Iterable[Publication]], may_go_on: Callable[[], bool]) -> bool:
        """Copy what is not copied yet, as long as `may_go_on`: the ledger from the publications, the tables from the files.

        Returns
        -------
        bool
            Whether all is copied.

        Raises
        ------
        CustodyError
            When the ledger may not be replaced; nothing was changed.
        """
        with self._warehouse.transaction("the rebuild's tables"):
            self._lock()
            self._check_ledger()
            for table in LISTED_TABLES.values():
                self._begin(table)
            self._begin_ledger(publications_after)
        for name, table in LISTED_TABLES.items():
            for file in self._listing.tables[name]:
                if not may_go_on():
                    return False
                with self._warehouse.transaction(f"file {file.key} of the rebuild"):
                    self._lock()
                    self._copy(table, file)
        return self._fill_ledger(publications_after, may_go_on)

    def exchange(self, newest: Publication, later: Iterable[Publication]) -> int:
        """Make the live tables' content that of the copied files, and load `later` publications, in one transaction.

        Parameters
        ----------
        newest
            The publication of the listing's batch.
        later
            Publications after it, in order; those that the warehouse showed already are loaded again.

        Returns
        -------
        int
            The newest batch that the warehouse shows.

        Raises
        ------
        ReconciliationError, CustodyError
            When the files do not hold what was published, or the ledger may not be replaced; the warehouse is as it was.
        """
        with self._warehouse.transaction("the rebuild"):
            self._warehouse.lock()
            self._lock()
            shown = self._check_ledger()
            for table in LISTED_TABLES.values():
                self._run(sql.SQL("analyze {}").format(self._naming.rebuilt(table)))
            self._exchange_rows()
            self._exchange_ledger()
            self._run(sql.SQL("delete from {}").format(self._naming.own(VERIFICATION)))
            Reconciliation(self._warehouse.connection, self._naming, newest, is_first=False).check()
            last = newest.batch
            for publication in later:
                if publication.first > shown:
                    break
                check_follows(publication, last)
                self._warehouse.ledger.record(publication)
                rows = RowsOfFiles(self._warehouse, self._lake, publication)
                write_publication(self._warehouse, publication, rows)
                last = publication.batch
            if self._owner.lake or self._check is None:
                self._warehouse.ledger.bind(self._owner)
            for table in LISTED_TABLES.values():
                self._run(sql.SQL("drop table {}").format(self._naming.rebuilt(table)))
            for name in (BATCH, BATCH_TABLE):
                self._run(sql.SQL("drop table {}").format(self._ledger(name)))
            self._run(sql.SQL("delete from {}").format(self._naming.own(REBUILD_FILE)))
            discard(self._warehouse)
        return last

    def _lock(self) -> None:
        self._warehouse.lock(LOCK)

    def _check_ledger(self) -> int:
        """Check that the ledger may be replaced; return its newest batch."""
        custody = self._warehouse.ledger.custody()
        if self._check:
            self._check(custody)
        return custody.last

    def _ledger(self, name: str) -> sql.Identifier:
        return self._naming.own(f"rebuild_{name}")

    def _begin(self, table: StarTable) -> None:
        """Create the table to be filled, or empty it when a file is in it that is not listed any more.

        One that an earlier release began, with other columns, is begun again too.
        """
        target, files = self._naming.rebuilt(table), self._naming.own(REBUILD_FILE)
        is_other = self._columns(target) != [*table.column_names, _BATCH_ID.name]
        if is_other:
            self._run(sql.SQL("drop table if exists {}").format(target))
        self._run(
            sql.SQL("create unlogged table if not exists {} as select {}, 0 as {} from {} with no data").format(
                target, names(table.column_names), sql.Identifier(_BATCH_ID.name), self._naming.table(table)
            )
        )
        listed = [self._copied_as(file) for file in self._listing.tables[table.name]]
        stale = self._run(
            sql.SQL("select 1 from {} where table_name = %s and key <> all (%s) limit 1").format(files),
            (table.name, listed),
        ).fetchone()
        if is_other or stale:
            self._run(sql.SQL("truncate {}").format(target))
            self._run(sql.SQL("delete from {} where table_name = %s").format(files), (table.name,))

    def _begin_ledger(self, publications_after: Callable[[int], Iterable[Publication]]) -> None:
        """Create the ledger to be filled, or empty it when what is in it is not of this lake's publications."""
        for name in (BATCH, BATCH_TABLE):
            if self._columns(self._ledger(name)) != self._columns(self._naming.own(name)):
                self._run(sql.SQL("drop table if exists {}").format(self._ledger(name)))
            self._run(
                sql.SQL("create unlogged table if not exists {} (like {} including defaults)").format(
                    self._ledger(name), self._naming.own(name)
                )
            )
        begun = self._warehouse.ledger.newest_in(self._ledger(BATCH))
        if begun:
            same = next(iter(publications_after(begun.batch - 1)), None)
            if same is None or begun.batch > self._listing.batch or not begun.is_of(same):
                for name in (BATCH, BATCH_TABLE):
                    self._run(sql.SQL("truncate {}").format(self._ledger(name)))

    def _columns(self, table: sql.Identifier) -> list[str]:
        """Return the names of a table's columns; none when there is no such table."""
        rows = self._run(
            "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped "
            "order by attnum",
            (table.as_string(self._warehouse.connection),),
        )
        return [name for (name,) in rows]

    def _copied_as(self, file: DataFile) -> str:
        """Return by what name a file is remembered: another lake may have files of the same keys."""
        return f"{self._lake.bucket}/{file.key}"

    def _copy(self, table: StarTable, file: DataFile) -> None:
        files, name = self._naming.own(REBUILD_FILE), self._copied_as(file)
        if self._run(sql.SQL("select 1 from {} where key = %s").format(files), (name,)).fetchone():
            return
        received = self._warehouse.copy(
            table, self._naming.rebuilt(table), self._lake.rows(table, [file], further=[_BATCH_ID.name]), [_BATCH_ID]
        )
        if received != file.rows:
            raise ReconciliationError(
                f"Lake file {file.key}, table {table.name}, holds {received} rows, the lake says {file.rows}. Nothing of it was "
                f"kept; the warehouse is as it was."
            )
        self._run(sql.SQL("insert into {} (table_name, key) values (%s, %s)").format(files), (table.name, name))
        self.copied += 1

    def _fill_ledger(
        self, publications_after: Callable[[int], Iterable[Publication]], may_go_on: Callable[[], bool]
    ) -> bool:
        newest = sql.SQL("select coalesce(max(batch), 0) from {}").format(self._ledger(BATCH))
        while may_go_on():
            with self._warehouse.transaction("the rebuild's ledger"):
                self._lock()
                row = self._run(newest).fetchone()
                last = int(row[0]) if row else 0
                if last >= self._listing.batch:
                    return True
                for publication in islice(publications_after(last), PUBLICATIONS):
                    if publication.batch > self._listing.batch:
                        break
                    check_follows(publication, last)
                    self._warehouse.ledger.record(publication, self._ledger(BATCH), self._ledger(BATCH_TABLE))
                    last = publication.batch
        return False

    def _exchange_rows(self) -> None:
        """Rows that differ leave, facts first; those that are missing come, dimensions first; then keys that are gone leave."""
        naming = self._naming
        for table in FACTS:
            self._run(delete_others(table, naming, naming.rebuilt(table)))
        for table in STAR_TABLES.values():
            if table.kind is Kind.FACT:
                with checked_once(self._warehouse.connection, naming.table(table)):
                    written = self._run(insert_missing(table, naming, naming.rebuilt(table))).rowcount
            else:
                written = self._run(upsert(table, naming, naming.rebuilt(table))).rowcount
            self._warehouse.analyze(naming.table(table), written)
        for table in STAR_TABLES.values():
            if table.kind is not Kind.FACT and table != DIM_DATE:  # a longer calendar is nobody's fault
                self._run(delete_keys(table, naming, naming.rebuilt(table)))
        for table in HISTORIES.values():
            self._run(sql.SQL("delete from {}").format(naming.table(table)))
            written = self._run(insert(table, naming, naming.rebuilt(table))).rowcount
            self._warehouse.analyze(naming.table(table), written)

    def _exchange_ledger(self) -> None:
        naming, batch = self._naming, self._naming.own(BATCH)
        self._run(
            sql.SQL(
                "update {} n set loaded_at = o.loaded_at from {} o "
                "where o.batch = n.batch and o.snapshot_time = n.snapshot_time"
            ).format(self._ledger(BATCH), batch)
        )
        for emptied in (naming.table(SOURCE_DELETION), naming.own(BATCH_TABLE), batch):
            self._run(sql.SQL("delete from {}").format(emptied))
        for name in (BATCH, BATCH_TABLE):
            copied = sql.SQL("insert into {} select * from {}").format(naming.own(name), self._ledger(name))
            self._warehouse.analyze(naming.own(name), self._run(copied).rowcount)
        deleted = [self._run(rebuilt_deletions(t, naming)).rowcount for t in STAR_TABLES.values() if t.source]
        self._warehouse.analyze(naming.table(SOURCE_DELETION), sum(deleted))
