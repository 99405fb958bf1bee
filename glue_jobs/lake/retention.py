"""Which snapshots of a table nobody needs any more."""

from collections.abc import Callable, Collection, Iterator
from datetime import datetime

from glue_jobs.lake.snapshots import Snapshot, state_after


def due(
    snapshots: Collection[Snapshot], current: int | None, *, published: int, confirmed: int, limit: datetime
) -> set[int]:
    """Return the snapshots that may be expired.

    Those stay that somebody may still read: the state after the newest publication, from which the next batch begins and
    to which a batch that is left out is taken back, and what lies between it and the current one; those of batches that
    no load has confirmed, however long the warehouse is down, because their publications name files; and those that are
    young, for readers.

    Parameters
    ----------
    current
        The table's current snapshot, or None when it has none.
    published
        Number of the newest publication.
    confirmed
        Number of the newest batch that a load has confirmed.
    limit
        Snapshots that are not older stay.
    """
    by_id = {snapshot.id: snapshot for snapshot in snapshots}
    newest = None if current is None else by_id[current]
    state = state_after(newest, by_id.get, published)
    needed = set(_way_back(newest, by_id.get, state))
    return {
        snapshot.id
        for snapshot in snapshots
        if snapshot.id not in needed
        and snapshot.taken_at < limit
        and (snapshot.batch is None or snapshot.batch <= confirmed)
    }


def _way_back(newest: Snapshot | None, find: Callable[[int], Snapshot | None], state: int | None) -> Iterator[int]:
    """Go from the current snapshot to a state that it was made of: to the table's first when that is not there."""
    snapshot = newest
    while snapshot is not None:
        yield snapshot.id
        snapshot = None if snapshot.id == state or snapshot.parent is None else find(snapshot.parent)
