"""The logic of a load: which publications, in which order, and whether a batch may commit."""

from collections.abc import Callable, Iterable

import pyarrow as pa

from contracts.protocol.bucket import Bucket
from contracts.protocol.object_layout import publication_key
from contracts.protocol.progress import newest_publication_number, publications_after, read_publication
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


def find_publication(processed: Bucket, number: int) -> Publication | None:
    """Read publication `number`, or return None when there is no such object."""
    return read_publication(processed, number) if processed.size(publication_key(number)) is not None else None


def _newest(processed: Bucket) -> Publication | None:
    number = newest_publication_number(processed)
    return read_publication(processed, number) if number else None


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
    here = Owner(publication.lake, lake.bucket, warehouse.naming.schema)
    with warehouse.transaction(f"batch {publication.batch}"):
        warehouse.lock()
        ledger = warehouse.ledger
        custody = ledger.custody()
        check_owner(custody, here)
        if not is_next(custody, publication, ledger.entry(publication.batch)):
            return False
        if not custody.last:
            check_empty(custody, ledger.filled_facts())
        if custody.owner is None:
            ledger.bind(here)
        ledger.record(publication)
        write_publication(warehouse, lake, publication, is_first=not custody.last)
    return True


def write_publication(
    warehouse: Warehouse, lake: LakeFiles, publication: Publication, *, is_first: bool = False
) -> None:
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
            rows = lake.rows(table, publication.tables[name].files, publication.batch)
            _check(publication, name, _write(warehouse, table, rows, reconciliation))
    for table in HISTORIES.values():  # written anew as a whole by every batch that changes them
        if files := publication.tables[table.name].files:
            warehouse.replace(table, lake.rows(table, files))
    if publication.tables[SOURCE_DELETION.name].rows:
        rows = lake.rows(SOURCE_DELETION, publication.tables[SOURCE_DELETION.name].files, publication.batch)
        _check(publication, SOURCE_DELETION.name, warehouse.delete(publication, rows))
    reconciliation.check()


def _write(
    warehouse: Warehouse, table: StarTable, rows: Iterable[pa.RecordBatch], reconciliation: Reconciliation
) -> int:
    """Write rows, facts straight into their table and dimensions through a staged one; return how many.

    New keys of a dimension are counted before its rows are there, those of a fact after.
    """
    if table.kind is Kind.FACT:
        received = warehouse.append(table, rows)
        reconciliation.count_new_keys(table, warehouse.naming.table(table))
        return received
    staged, received = warehouse.stage(table, rows)
    reconciliation.count_new_keys(table, staged)
    warehouse.upsert(table, staged)
    return received


def _check(publication: Publication, name: str, received: int) -> None:
    expected = publication.tables[name].rows
    if received != expected:
        raise ReconciliationError(
            f"Batch {publication.batch}, table {name}: the lake's files hold {received} rows of the batch, the "
            f"publication says {expected}. The transaction was rolled back. Compare the files named in "
            f"{publication_key(publication.batch)} with the lake."
        )
