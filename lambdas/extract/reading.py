"""Reading tables until everything is read or time runs out."""

from collections.abc import Callable, Iterator
from contextlib import closing

from contracts.protocol.manifest import Part, Unfinished
from contracts.protocol.object_layout import key_part_key, part_key
from contracts.tables.source import SOURCE_TABLES
from lambdas.errors import SourceReadError
from lambdas.extract.copying import Chunk
from lambdas.extract.plan import Outcome, Plan, begin, is_read_whole, table_statistics
from lambdas.extract.snapshot import Snapshot

#: Writes a table's chunks as parts: table, chunks, layout of the keys, number of the first part.
Write = Callable[[str, Iterator[Chunk], Callable[..., str], int], tuple[Part, ...]]


def read(
    snapshot: Snapshot,
    plan: Plan,
    write: Write,
    is_time_up: Callable[[], bool],
    is_over: Callable[[], bool] | None = None,
) -> Outcome:
    """Read what is planned, as far as time allows.

    A reading that began in an earlier snapshot and ends in this one is followed by another, of what changed since it
    began; one that begins and ends in this snapshot is the last. So the whole batch is what this snapshot holds.

    Parameters
    ----------
    is_time_up
        Whether reading must stop where it can.
    is_over
        Whether what cannot be divided, the key lists at the end, must be given up; by default the same.

    Raises
    ------
    SourceReadError
        When a whole run is too short for what cannot be divided.
    """
    outcome = Outcome()
    remaining, began_here = plan.remaining, not plan.continues
    while True:
        left = _read_tables(snapshot, plan, remaining, outcome, write, is_time_up)
        if left:
            outcome.unfinished = Unfinished(
                remaining.since, remaining.horizon, left, tuple(n for n in remaining.whole if n in left)
            )
            return outcome
        if began_here:
            break
        changed = table_statistics(snapshot, remaining.horizon)
        remaining, began_here = begin(changed, remaining.horizon, plan.position.horizon, everything=False), True
    if not _read_key_lists(snapshot, plan, outcome, write, is_over or is_time_up):
        if plan.continues and not outcome.parts:
            raise SourceReadError(
                "The key lists of the source do not fit into one run. Nothing was committed. Give the function more memory, "
                "which is also more processor and network."
            )
        outcome.key_parts = {}
        outcome.unfinished = Unfinished(remaining.since, remaining.horizon, {})
    return outcome


def _read_tables(
    snapshot: Snapshot,
    plan: Plan,
    remaining: Unfinished,
    outcome: Outcome,
    write: Write,
    is_time_up: Callable[[], bool],
) -> dict[str, int | None]:
    """Read the tables in `remaining`; return those that are left, with the last key that was read."""
    left = dict(remaining.tables)
    for name in [name for name in SOURCE_TABLES if name in left]:
        if outcome.reads and is_time_up():
            break
        table = SOURCE_TABLES[name]
        is_whole = is_read_whole(table, remaining)
        before = outcome.parts.get(name, ())
        since = None if is_whole else remaining.since
        with closing(
            snapshot.copy(table, plan.columns[name], since, in_order=plan.in_order, after=left[name])
        ) as copied:
            rows = _Limited(copied, is_time_up)
            parts = write(name, iter(rows), part_key, len(before) + 1)
        if (rows.is_complete or plan.in_order) and (parts or is_whole):
            outcome.reads[name] = "whole" if is_whole else "changed"
            outcome.parts[name] = (*before, *parts)
            outcome.keys[name] = rows.keys
        if not rows.is_complete:
            left[name] = rows.last_key if plan.in_order else left[name]
            break
        del left[name]
    return left


def _read_key_lists(
    snapshot: Snapshot, plan: Plan, outcome: Outcome, write: Write, is_time_up: Callable[[], bool]
) -> bool:
    """Read the complete key lists that are wanted; return whether time sufficed.

    A table whose keys are others than before, and of which no row changed, has lost some: its list is read unasked.
    """
    lost = plan.moved - outcome.reads.keys()
    for name in [name for name in SOURCE_TABLES if name in plan.key_lists | lost]:
        with closing(snapshot.copy_keys(SOURCE_TABLES[name])) as copied:
            rows = _Limited(copied, is_time_up)
            outcome.key_parts[name] = write(name, iter(rows), key_part_key, 1)
        if not rows.is_complete:
            return False
    return True


class _Limited:
    """Chunks until time is up, at least the first one with rows; remembers where they stopped."""

    def __init__(self, chunks: Iterator[Chunk], is_time_up: Callable[[], bool]) -> None:
        self._chunks = chunks
        self._is_time_up = is_time_up
        self.last_key: int | None = None
        self.keys: tuple[int, ...] | None = ()
        self.is_complete = False

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._chunks:
            if self.last_key is not None and self._is_time_up():
                return
            yield chunk
            if chunk.rows:
                self.last_key = chunk.last_key
                self.keys = None if self.keys is None or chunk.keys is None else self.keys + chunk.keys
        self.is_complete = True
