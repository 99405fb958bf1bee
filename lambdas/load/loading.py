"""The logic of a load: which publications, in which order, and whether a batch may commit."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from contracts.batch import Publication
from contracts.layout import publication_key
from contracts.star import STAR_TABLES
from contracts.table import StarTable
from lambdas.errors import PublicationGapError, ReconciliationError


class Ledgered(Protocol):
    """What the logic asks of a warehouse."""

    def batch(self, publication: Publication) -> AbstractContextManager[bool]:
        """Open the transaction of one publication and tell whether it is the next one."""

    def write(self, table: StarTable, rows: Iterable[tuple[bytes, int]]) -> int:
        """Write rows and return how many were received."""


def pending_numbers(keys: Iterable[str], last: int) -> list[int]:
    """Return the numbers of the publications after `last`, given their keys in order.

    Raises
    ------
    PublicationGapError
        When one is missing in between; those before the gap are not lost, see `Returns`.
    """
    numbers: list[int] = []
    for number, key in enumerate(keys, start=last + 1):
        if key != publication_key(number):
            if numbers:
                break  # load what comes before the gap first; the next round reports it
            raise PublicationGapError(
                f"Publication {publication_key(number)} is missing, but {key} exists. Batches are loaded in order, so "
                f"nothing after {last} was. Restore the object from its previous version, or run the transform again."
            )
        numbers.append(number)
    return numbers


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
            expected = publication.tables[name].rows
            if not expected and not publication.tables[name].files:
                continue
            received = warehouse.write(table, rows(table))
            if received != expected:
                raise ReconciliationError(
                    f"Batch {publication.batch}, table {name}: the lake's files hold {received} rows of the batch, the "
                    f"publication says {expected}. The transaction was rolled back. Compare the files named in "
                    f"{publication_key(publication.batch)} with the lake."
                )
    return True
