"""The logic of an extraction: what to read, and whether it makes a batch."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts.protocol.manifest import Manifest, Part, Shape, Unfinished
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.table import Reading, SourceTable
from lambdas.errors import SourceMovedError
from lambdas.extract import trust
from lambdas.extract.event import Request
from lambdas.extract.schema_check import check_schema
from lambdas.extract.shapes import Relation
from lambdas.extract.snapshot import Position, Snapshot, TableStatistics
from lambdas.extract.witness import contradiction

#: Rows a second that every source delivers; more rows than fit at this pace are read so that reading can stop and go on.
ROWS_PER_SECOND = 20_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What one extraction reads.

    Attributes
    ----------
    reason
        Why everything is read, or "".
    reasons
        Why single tables are read whole.
    first
        Number of the manifest that the batch begins with.
    remaining
        What is to be read; begun in an earlier snapshot when this run continues a batch.
    in_order
        Whether tables are read in the order of their keys, so that reading can stop anywhere and go on.
    key_lists
        Tables whose complete key list is read.
    moved
        Tables that hold other keys than at the previous batch: where no row changed, rows were deleted.
    columns
        For each table the contract's columns, then those that the source has beyond it.
    unknown_tables
        Tables of the source that the contract does not know; they are not read.
    shapes
        What the tables were when the snapshot was taken.
    horizon_age_seconds
        For how long, at least, a transaction that is still open has held the horizon back; 0 when none does.
    """

    batch: int
    first: int
    reason: str
    reasons: dict[str, str]
    remaining: Unfinished
    in_order: bool
    position: Position
    statistics: dict[str, TableStatistics]
    key_lists: frozenset[str]
    moved: frozenset[str]
    columns: dict[str, tuple[str, ...]]
    unknown_tables: tuple[str, ...]
    shapes: dict[str, Shape]
    horizon_age_seconds: float

    @property
    def continues(self) -> bool:
        """Whether an earlier run left the beginning of this batch."""
        return self.first < self.batch

    @property
    def may_skip_commit(self) -> bool:
        """Whether a reading that finds no row makes no batch."""
        return not (self.continues or self.reason or self.reasons or self.key_lists)


@dataclass(slots=True)
class Outcome:
    """What one run read, by table.

    Attributes
    ----------
    reads
        How: ``changed`` or ``whole``.
    parts, key_parts
        Data parts, and the parts of complete key lists.
    unfinished
        What is left, or None.
    keys
        Keys of the rows that were read; None where they are too many to be known.
    """

    reads: dict[str, str] = field(default_factory=dict)
    parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    key_parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    unfinished: Unfinished | None = None
    keys: dict[str, tuple[int, ...] | None] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether no row and no key was read, and nothing is left."""
        return not self.parts and not self.key_parts and self.unfinished is None


def plan(
    snapshot: Snapshot,
    previous: Manifest | None,
    request: Request = Request(),
    seconds: float = 600,
    *,
    published: int = 0,
) -> Plan:
    """Check the source against the contract and decide what to read.

    Parameters
    ----------
    previous
        The newest manifest; when it is unfinished, this run continues its batch.
    request
        What is wanted beside the changes. The end of a continued batch carries all key lists. When rows are wanted while a
        batch of changes is being read, everything is read; a batch of everything, which has them, just goes on.
    seconds
        Time for reading, by which it is decided whether the reading must be able to stop.
    published
        Number of the lake's newest publication where it is newer than `previous`: the ingestion bucket has lost batches, and
        the next one follows the lake. Or that of a damaged manifest, which the next one follows.

    Raises
    ------
    SourceSchemaError, PrivilegeError
        Naming every difference; nothing has been written.
    SourceMovedError
        When a table was truncated or rewritten between the snapshot and its first reading.
    """
    found = snapshot.catalog()
    check_schema(found)
    shapes = {name: found[name].shape for name in SOURCE_TABLES}
    position = snapshot.position()
    columns = {name: (*table.column_names, *_beyond(found[name], table)) for name, table in SOURCE_TABLES.items()}
    reasons = {} if previous is None or published else trust.changes(previous, shapes)
    reason = _why_everything(snapshot, position, previous, request, reasons, published)
    reasons = {} if reason else reasons | dict.fromkeys(sorted(request.tables), "it was asked for")
    unfinished = previous.unfinished if previous and not reason else None
    since = None if reason or previous is None else unfinished.since if unfinished else previous.horizon
    limit = ROWS_PER_SECOND * seconds
    statistics = table_statistics(snapshot, since, limit, reasons)
    if moved := snapshot.moved(list(SOURCE_TABLES)):
        raise SourceMovedError(
            f"{', '.join(moved)} changed as a whole (truncated or rewritten) while the reading began. Nothing was "
            f"committed; the next run reads again."
        )
    remaining = unfinished or begin(statistics, since, position.horizon, everything=bool(reason), whole=reasons)
    rows = sum(statistics[name].changed or 0 for name in remaining.tables)
    batch = max(previous.batch if previous else 0, published) + 1
    return Plan(
        batch=batch,
        first=previous.first if previous and unfinished else batch,
        reason=previous.reason if previous and unfinished else reason,
        reasons=reasons,
        remaining=remaining,
        in_order=unfinished is not None or rows > limit,
        position=position,
        statistics=statistics,
        key_lists=frozenset(SOURCE_TABLES) if unfinished else request.key_lists | _shrunk(previous, statistics, reason),
        moved=_moved(previous, statistics, reason),
        columns=columns,
        unknown_tables=tuple(sorted(found.keys() - SOURCE_TABLES.keys())),
        shapes=shapes,
        horizon_age_seconds=_horizon_age(previous, since, position),
    )


def _why_everything(
    snapshot: Snapshot,
    position: Position,
    previous: Manifest | None,
    request: Request,
    changes: Mapping[str, str],
    published: int,
) -> str:
    is_being_read = previous is not None and previous.unfinished is not None and bool(previous.reason)
    if request.everything and not is_being_read:
        return "everything was asked for"
    if published:
        newest = f"the newest is {previous.batch}" if previous else "there is none"
        return f"batches are missing in the ingestion bucket: the lake is at batch {published}, and {newest}"
    if reason := trust.why_everything(previous, position.identity, position.horizon, position.next_xid):
        return reason
    if previous is None:
        return ""
    if previous.unfinished and request.tables and not is_being_read:
        return f"all rows of {', '.join(sorted(request.tables))} were asked for while a batch was being read"
    return trust.why_again(previous, changes) or contradiction(snapshot, position, previous)


def begin(
    statistics: Mapping[str, TableStatistics],
    since: int | None,
    horizon: int,
    *,
    everything: bool,
    whole: Collection[str] = (),
) -> Unfinished:
    """Return what a reading that begins now has to read."""
    tables = tables_to_read(statistics, everything=everything)
    return Unfinished(since, horizon, tables, tuple(name for name in tables if name in whole))


def _shrunk(previous: Manifest | None, statistics: Mapping[str, TableStatistics], reason: str) -> frozenset[str]:
    """Return the tables with fewer rows than before: some were deleted, and only a key list tells which."""
    if previous is None or reason:
        return frozenset()
    return frozenset(name for name, found in statistics.items() if found.count < previous.tables[name].source_count)


def _moved(previous: Manifest | None, statistics: Mapping[str, TableStatistics], reason: str) -> frozenset[str]:
    if previous is None or reason:
        return frozenset()
    before = {name: previous.tables[name] for name in statistics}
    return frozenset(
        name
        for name, found in statistics.items()
        if (found.count, found.key_checksum) != (before[name].source_count, before[name].source_key_checksum)
    )


def table_statistics(
    snapshot: Snapshot, since: int | None, limit: float = 0, whole: Collection[str] = ()
) -> dict[str, TableStatistics]:
    """Count every table; of those in `whole`, every row counts as changed.

    Changed rows of a table that is read incrementally are not counted when it has fewer rows than `limit` in all: reading
    them is as quick.
    """
    return {
        name: snapshot.statistics(
            table,
            None if name in whole else since,
            count_changed=lambda count, table=table: table.reading is Reading.WHOLE or count > limit,  # type: ignore[misc]
        )
        for name, table in SOURCE_TABLES.items()
    }


def tables_to_read(statistics: Mapping[str, TableStatistics], *, everything: bool) -> dict[str, int | None]:
    """Return the tables that may have something to read: those with changed rows, and all that share a group with one.

    Returns
    -------
    dict
        Table → None: nothing of it has been read.
    """
    changed = {name for name in SOURCE_TABLES if everything or statistics[name].changed != 0}
    groups = {SOURCE_TABLES[name].group for name in changed if SOURCE_TABLES[name].reading is Reading.WHOLE}
    return {
        name: None
        for name, table in SOURCE_TABLES.items()
        if name in changed or (table.reading is Reading.WHOLE and table.group in groups)
    }


def is_read_whole(table: SourceTable, remaining: Unfinished) -> bool:
    """Whether every row of `table` is read, and not only those that changed."""
    return remaining.since is None or table.reading is Reading.WHOLE or table.name in remaining.whole


def _beyond(found: Relation, table: SourceTable) -> list[str]:
    return [name for name in found.columns if name not in table.column_names]


def _horizon_age(previous: Manifest | None, since: int | None, position: Position) -> float:
    """Seconds since the horizon was first seen where it still is, if a transaction keeps it there."""
    if previous is None or since is None or position.horizon > since or position.next_xid == position.horizon:
        return 0.0
    return (position.snapshot_time - datetime.fromisoformat(previous.snapshot_time)).total_seconds()
