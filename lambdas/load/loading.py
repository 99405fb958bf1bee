"""The logic of a load: which publications, in which order, and whether a batch may commit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
from psycopg import sql

from contracts.protocol.bucket import Bucket
from contracts.protocol.object_layout import publication_key
from contracts.protocol.progress import (
    find_publication,
    newest_publication_number,
    publications_after,
    read_publication,
)
from contracts.protocol.publication import Publication
from contracts.tables.lake import HISTORIES, SOURCE_DELETION
from contracts.tables.star import STAR_TABLES
from contracts.tables.table import Kind, StarTable
from lambdas.errors import ReconciliationError
from lambdas.load.custody import Custody, Owner, check_empty, check_newest, check_owner, check_rebuild, is_next
from lambdas.load.lake_files import LakeFiles
from lambdas.load.reconciliation import Reconciliation
from lambdas.load.warehouse.gateway import Warehouse


def check_custody(warehouse: Warehouse, processed: Bucket) -> int:
    """Check that the ledger's newest batch is one that this lake published.

    Returns
    -------
    int
        Its number, or 0.

    Raises
    ------
    CustodyError
        When it is not; nothing may be loaded or confirmed.
    """
    custody = warehouse.custody()
    if not custody.last:
        return 0
    shown = find_publication(processed, custody.last)
    following = None if shown else next(publications_after(processed, custody.last), None)
    lake = shown or following or _newest(processed)
    here = Owner(lake.lake if lake else "", processed.name, warehouse.naming.schema)
    check_newest(custody, here, shown, following)
    return custody.last


def rebuild_check(processed: Bucket, owner: Owner) -> Callable[[Custody], None]:
    """Return what refuses a ledger that a rebuild from this lake may not replace."""

    def check(custody: Custody) -> None:
        check_rebuild(custody, owner, find_publication(processed, custody.last), newest_publication_number(processed))

    return check


def _newest(processed: Bucket) -> Publication | None:
    number = newest_publication_number(processed)
    return read_publication(processed, number) if number else None


#: Tables that every batch which changes them writes anew as a whole.
_KEPT_WHOLE = {table.name for table in HISTORIES.values()}


class Rows(Protocol):
    """The rows of one publication."""

    def append(self, table: StarTable) -> int:
        """Bring a fact's rows into its table; return how many."""

    def stage(self, table: StarTable) -> tuple[sql.Identifier, int]:
        """Return a table that has the rows, and how many they are."""


@dataclass(frozen=True, slots=True)
class RowsOfFiles:
    """The rows straight from the lake's files."""

    warehouse: Warehouse
    lake: LakeFiles
    publication: Publication

    def append(self, table: StarTable) -> int:
        """Copy a fact's rows into its table; return how many."""
        return self.warehouse.append(table, self._rows(table), self.publication.tables[table.name].rows)

    def stage(self, table: StarTable) -> tuple[sql.Identifier, int]:
        """Copy the rows into a temporary table; return it, and how many they are."""
        return self.warehouse.stage(table, self._rows(table))

    def _rows(self, table: StarTable) -> Iterator[pa.RecordBatch]:
        return self.lake.rows(table, self.publication.tables[table.name].files, written_by(self.publication, table))


def written_by(publication: Publication, table: StarTable) -> int | None:
    """Return of which batch the rows of a table's files are wanted: a history is written anew as a whole, so all of its rows are."""
    return None if table.name in _KEPT_WHOLE else publication.batch


def load_publication(warehouse: Warehouse, lake: LakeFiles, publication: Publication) -> bool:
    """Load one publication in one transaction, dimensions before facts.

    Returns
    -------
    bool
        False when another load had committed it already.

    Raises
    ------
    CustodyError, PublicationGapError
        When it is not what follows the ledger's newest batch.
    ReconciliationError
        When the files hold other than the published number of rows, or the warehouse would show other keys than the
        lake; everything was rolled back.
    """
    with warehouse.transaction(f"batch {publication.batch}"):
        return write_next(warehouse, lake.bucket, publication, RowsOfFiles(warehouse, lake, publication))


def write_next(warehouse: Warehouse, bucket: str, publication: Publication, rows: Rows) -> bool:
    """Write a publication and its entry in the ledger, inside its transaction; see `load_publication`."""
    custody = lock_for(warehouse, bucket, publication)
    if custody is None:
        return False
    ledger = warehouse.ledger
    if not custody.last:
        check_empty(custody, ledger.filled_facts())
    if custody.owner is None:
        ledger.bind(Owner(publication.lake, bucket, warehouse.naming.schema))
    ledger.record(publication)
    write_publication(warehouse, publication, rows, is_first=not custody.last)
    return True


def lock_for(warehouse: Warehouse, bucket: str, publication: Publication) -> Custody | None:
    """Keep other loads out until the transaction ends; return what the ledger says when it lacks this publication next.

    Returns
    -------
    Custody or None
        None when another load had committed it already.

    Raises
    ------
    CustodyError, PublicationGapError
        When it is not what follows the ledger's newest batch.
    """
    warehouse.lock()
    custody = warehouse.ledger.custody()
    check_owner(custody, Owner(publication.lake, bucket, warehouse.naming.schema))
    return custody if is_next(custody, publication, warehouse.ledger.entry(publication.batch)) else None


def write_publication(warehouse: Warehouse, publication: Publication, rows: Rows, *, is_first: bool = False) -> None:
    """Write a publication, inside its transaction, and check that the warehouse then shows what the lake does.

    Parameters
    ----------
    is_first
        Whether the warehouse was empty before.

    Raises
    ------
    ReconciliationError
        When it does not.
    """
    reconciliation = Reconciliation(warehouse.connection, warehouse.naming, publication, is_first=is_first)
    for name, table in STAR_TABLES.items():
        if publication.tables[name].rows or publication.tables[name].files:
            check_received(publication, name, _write(warehouse, table, rows, reconciliation))
    for table in HISTORIES.values():
        if publication.tables[table.name].files:
            staged, _ = rows.stage(table)
            warehouse.replace(table, staged)
    if publication.tables[SOURCE_DELETION.name].rows:
        staged, received = rows.stage(SOURCE_DELETION)
        check_received(publication, SOURCE_DELETION.name, received)
        warehouse.delete(publication, staged)
    reconciliation.check()


def _write(warehouse: Warehouse, table: StarTable, rows: Rows, reconciliation: Reconciliation) -> int:
    """Write rows, facts straight into their table and dimensions through a staged one; return how many.

    New keys of a dimension are counted before its rows are there, those of a fact after.
    """
    if table.kind is Kind.FACT:
        received = rows.append(table)
        reconciliation.count_new_keys(table, warehouse.naming.table(table))
        return received
    staged, received = rows.stage(table)
    reconciliation.count_new_keys(table, staged)
    warehouse.upsert(table, staged)
    return received


def check_received(publication: Publication, name: str, received: int) -> None:
    """Check that as many rows of a table were received as were published.

    Raises
    ------
    ReconciliationError
        When they were not.
    """
    expected = publication.tables[name].rows
    if received != expected:
        raise ReconciliationError(
            f"Batch {publication.batch}, table {name}: the lake's files hold {received} rows of the batch, the "
            f"publication says {expected}. The transaction was rolled back. Compare the files named in "
            f"{publication_key(publication.batch)} with the lake."
        )
