"""Whether the source's history is still the one that the previous batch saw.

A server whose files were put back to an older copy (a snapshot of its volume) has the same identity, and once it has used
more transaction ids than were lost, its horizon lies beyond the previous one: what was changed in between would be taken for
old. So each manifest keeps a few of the newest row versions of each table. All transactions below its horizon had ended:
no row version that one of them wrote can appear later. When the server was started anew since, they are looked at again; a
server that ran all the time cannot have had its files exchanged. A source that refuses to tell its timeline or its cluster is
believed less: there the rows of the witnesses, which their keys find, are looked at in every extraction.
"""

from collections.abc import Iterable, Mapping, Sequence

from contracts.protocol.manifest import Manifest, Witness
from contracts.tables.source import SOURCE_TABLES
from lambdas.extract.snapshot import COMPARABLE_AGE, Position, Snapshot

#: Row versions that a manifest keeps of each table.
ROWS = 20
#: A table of more rows is not scanned for its newest versions: rows with the highest keys stand in.
SCANNED_ROWS = 200_000

_LOWEST = 3  # the first transaction id that is an ordinary one


def take(
    snapshot: Snapshot,
    position: Position,
    previous: Manifest | None,
    read: Mapping[str, Sequence[int] | None],
    counts: Mapping[str, int],
) -> dict[str, Witness]:
    """Return the witness of every table.

    A table of which nothing was read keeps its own; of few rows that were read, the versions are looked up by their keys;
    else the table is scanned once more, or, when it is large, the rows with the highest keys are taken.

    Parameters
    ----------
    previous
        The manifest before, when this one has only what has changed since; else None.
    read
        Table → keys of the rows that were read of it; None when they are not known. Tables of which nothing was read lack.
    counts
        Rows of every table.
    """
    found = {}
    for name, table in SOURCE_TABLES.items():
        before = previous.tables[name].witness if previous else None
        keys = read.get(name, ())
        if (before is None or keys is None) and counts[name] > SCANNED_ROWS:
            versions = snapshot.highest_keys(table, ROWS)
            rows = [(key, _full(xmin, position.horizon)) for key, xmin in versions]
            # Those that were written at the horizon or later may still be followed by others.
            found[name] = Witness(position.horizon, tuple((k, xid) for k, xid in rows if xid < position.horizon))
        elif before is None or keys is None:
            found[name] = _newest(snapshot.newest_versions(table, ROWS + 1), _LOWEST, position)
        elif not keys:
            found[name] = before
        else:
            kept = [(key, xid) for key, xid in before.rows if key not in set(keys)]
            found[name] = _newest([*snapshot.versions_of(table, keys), *kept], before.since, position)
    return found


def contradiction(snapshot: Snapshot, position: Position, previous: Manifest) -> str:
    """Return why the source's history is not the one that `previous` saw, or "" when nothing contradicts."""
    is_started_anew = previous.server_started != position.server_started
    if not previous.server_started or not (is_started_anew or position.identity.is_partial):
        return ""
    when = "since its server was started anew" if is_started_anew else "although its server says that it ran on"
    for name, table in SOURCE_TABLES.items():
        witness = previous.tables[name].witness
        if witness is None:
            continue
        kept = {row[0]: row[1] for row in witness.rows}
        if is_started_anew:
            since = max(witness.since, position.next_xid - COMPARABLE_AGE, _LOWEST)
            found = snapshot.versions_since(table, since, previous.horizon, list(kept))
        else:
            found = snapshot.versions_of(table, list(kept))
        for key, xmin in found:
            xid = _full(xmin, position.horizon)
            if xid < previous.horizon and kept.get(key) != xid:
                return (
                    f"the source's history is another one {when}: row {key} of {name} is of transaction {xid}, of which "
                    f"the batch before saw no such row"
                )
        if kept and kept.keys().isdisjoint(key for key, _ in found):
            return f"the source's history may be another one {when}: the newest rows of {name} are gone"
    return ""


def _newest(versions: Iterable[tuple[int, int]], since: int, position: Position) -> Witness:
    """Keep the newest versions below the horizon, of each transaction all or none."""
    full = {(key, _full(xmin, position.horizon)) for key, xmin in versions}
    ordered = sorted(((xid, key) for key, xid in full if since <= xid < position.horizon), reverse=True)
    if len(ordered) > ROWS:
        since = ordered[ROWS][0] + 1
    return Witness(since, tuple((key, xid) for xid, key in ordered[:ROWS] if xid >= since))


def _full(xmin: int, horizon: int) -> int:
    """Return a 32-bit transaction id, or a 64-bit one, as the 64-bit one that is nearest to the horizon."""
    return horizon + (xmin - horizon + 2**31) % 2**32 - 2**31
