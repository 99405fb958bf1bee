"""A table's snapshots, as the job looks at them: which batch made each, and what state a batch left behind."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

#: The state of a table before its first snapshot.
NOTHING = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot of a table.

    Attributes
    ----------
    id
        Iceberg's number of it.
    parent
        The one that it was made from, which may be expired; None for a table's first.
    batch
        The batch that made it; None when it was maintenance.
    taken_at
        When.
    """

    id: int
    parent: int | None
    batch: int | None
    taken_at: datetime


def state_after(newest: Snapshot | None, find: Callable[[int], Snapshot | None], batch: int) -> int | None:
    """Return the newest snapshot that holds nothing of a batch later than `batch`; maintenance since then is included.

    Parameters
    ----------
    newest
        The table's current snapshot, or None when it has none.
    find
        Returns a snapshot by its number, or None when it is expired.

    Returns
    -------
    int or None
        `NOTHING` when the table held nothing then, None when only what a later batch has made of that state is left.
    """
    found, snapshot = None, newest
    while snapshot is not None:
        is_later = snapshot.batch is not None and snapshot.batch > batch
        found = None if is_later else found or snapshot.id
        if snapshot.parent is None:
            return found or NOTHING
        if found and snapshot.batch is not None:
            return found
        snapshot = find(snapshot.parent)
    return found if newest else NOTHING
