"""The logic of a load: which publications, in which order, and whether a batch may commit."""

from contracts.layout import publication_key
from contracts.publication import Publication
from contracts.star import HISTORIES, SOURCE_DELETION, STAR_TABLES
from lambdas.errors import PublicationGapError, ReconciliationError
from lambdas.load.lake import LakeFiles
from lambdas.load.reconciliation import Reconciliation
from lambdas.load.warehouse import Warehouse


def check_follows(publication: Publication, last: int) -> None:
    """Check that no publication is missing between the last loaded one and this.

    Raises
    ------
    PublicationGapError
        When one is; nothing of this publication was loaded.
    """
    if publication.first > last + 1:
        raise PublicationGapError(
            f"{publication_key(publication.batch)} exists and the publication that ends with batch {publication.first - 1} "
            f"is missing. Batches are loaded in order, so nothing after {last} was. Restore the object from its previous "
            f"version, or run the transform again."
        )


def load_publication(warehouse: Warehouse, lake: LakeFiles, publication: Publication) -> bool:
    """Load one publication in one transaction, dimensions before facts.

    Returns
    -------
    bool
        False when another load had committed it already.

    Raises
    ------
    ReconciliationError
        When the files hold other than the published number of rows, or the warehouse would show other keys than the
        lake; everything was rolled back.
    """
    with warehouse.batch(publication) as reconciliation:
        if reconciliation is None:
            return False
        write_publication(warehouse, lake, publication, reconciliation)
    return True


def write_publication(
    warehouse: Warehouse, lake: LakeFiles, publication: Publication, reconciliation: Reconciliation
) -> None:
    """Write what a publication brings, inside its transaction, and check that the warehouse then shows what the lake does.

    Raises
    ------
    ReconciliationError
        When it does not.
    """
    for name, table in STAR_TABLES.items():
        if publication.tables[name].rows or publication.tables[name].files:
            rows = lake.rows(table, publication.tables[name].files, publication.batch)
            _check(publication, name, warehouse.write(table, rows, reconciliation))
    for table in HISTORIES.values():  # written anew as a whole by every batch that changes them
        if files := publication.tables[table.name].files:
            warehouse.replace(table, lake.rows(table, files))
    if publication.tables[SOURCE_DELETION.name].rows:
        rows = lake.rows(SOURCE_DELETION, publication.tables[SOURCE_DELETION.name].files, publication.batch)
        _check(publication, SOURCE_DELETION.name, warehouse.delete(publication, rows))
    reconciliation.check()


def _check(publication: Publication, name: str, received: int) -> None:
    expected = publication.tables[name].rows
    if received != expected:
        raise ReconciliationError(
            f"Batch {publication.batch}, table {name}: the lake's files hold {received} rows of the batch, the "
            f"publication says {expected}. The transaction was rolled back. Compare the files named in "
            f"{publication_key(publication.batch)} with the lake."
        )
