"""The logic of a load: which publications, in which order, and whether a batch may commit."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from contracts.layout import publication_key
from contracts.publication import Publication
from contracts.star import SOURCE_DELETION, STAR_TABLES
from contracts.table import StarTable
from lambdas.errors import PublicationGapError, ReconciliationError


class Ledgered(Protocol):
    """What the logic asks of a warehouse."""

    def batch(self, publication: Publication) -> AbstractContextManager[bool]:
        """Open the transaction of one publication and tell whether it is the next one."""

    def write(self, table: StarTable, rows: Iterable[tuple[bytes, int]]) -> int:
        """Write rows and return how many were received."""

    def delete(self, publication: Publication, rows: Iterable[tuple[bytes, int]]) -> int:
        """Record deletions and return how many were received."""


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


def load_publication(
    warehouse: Ledgered,
    publication: Publication,
    rows: Callable[[StarTable], Iterable[tuple[bytes, int]]],
) -> bool:
    """Load one publication in one transaction, dimensions before facts.

    Returns
    -------
    bool
        False when another load had committed it already.

    Raises
    ------
    ReconciliationError
        When the files hold other than the published number of rows; everything was rolled back.
    """
    with warehouse.batch(publication) as is_next:
        if not is_next:
            return False
        for name, table in STAR_TABLES.items():
            if publication.tables[name].rows or publication.tables[name].files:
                _check(publication, name, warehouse.write(table, rows(table)))
        if publication.tables[SOURCE_DELETION.name].rows:
            _check(publication, SOURCE_DELETION.name, warehouse.delete(publication, rows(SOURCE_DELETION)))
    return True


def _check(publication: Publication, name: str, received: int) -> None:
    expected = publication.tables[name].rows
    if received != expected:
        raise ReconciliationError(
            f"Batch {publication.batch}, table {name}: the lake's files hold {received} rows of the batch, the "
            f"publication says {expected}. The transaction was rolled back. Compare the files named in "
            f"{publication_key(publication.batch)} with the lake."
        )
