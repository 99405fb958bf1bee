"""The logic of an extraction: what to read, and whether it makes a batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts.batch import Manifest, Part, SourceIdentity, TableExtract, Unfinished
from contracts.document import FORMAT
from contracts.source import SOURCE_TABLES
from contracts.table import Reading, SourceTable
from lambdas.extract.schema import check_schema
from lambdas.extract.source import COMPARABLE_AGE, ColumnFound, Snapshot, Survey

#: Rows a second that every source delivers; more rows than fit at this pace are read so that reading can stop and go on.
ROWS_PER_SECOND = 20_000

_IDENTITY = {"system_identifier": "cluster", "timeline": "timeline", "database_oid": "database"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What one extraction reads.

    Attributes
    ----------
    reason
        Why everything is read, or "".
    first
        Number of the manifest that the batch begins with.
    todo
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
    held_back_seconds
        For how long, at least, a transaction that is still open has held the horizon back; 0 when none does.
    """

    batch: int
    first: int
    reason: str
    todo: Unfinished
    in_order: bool
    identity: SourceIdentity
    horizon: int
    snapshot_time: datetime
    surveys: dict[str, Survey]
    key_lists: frozenset[str]
    moved: frozenset[str]
    columns: dict[str, tuple[str, ...]]
    unknown_tables: tuple[str, ...]
    held_back_seconds: float

    @property
    def continues(self) -> bool:
        """Whether an earlier run left the beginning of this batch."""
        return self.first < self.batch

    @property
    def is_optional(self) -> bool:
        """Whether a reading that finds no row makes no batch."""
        return not self.continues and not self.reason and not self.key_lists


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
    """

    reads: dict[str, str] = field(default_factory=dict)
    parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    key_parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    unfinished: Unfinished | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no row and no key was read, and nothing is left."""
        return not self.parts and not self.key_parts and self.unfinished is None


def plan(
    snapshot: Snapshot, previous: Manifest | None, key_lists: frozenset[str] = frozenset(), seconds: float = 600
) -> Plan:
    """Check the source against the contract and decide what to read.

    Parameters
    ----------
    previous
        The newest manifest; when it is unfinished, this run continues its batch.
    key_lists
        Tables whose complete key list is wanted. The end of a continued batch carries all of them.
    seconds
        Time for reading, by which it is decided whether the reading must be able to stop.

    Raises
    ------
    SourceSchemaError
        Naming every difference; nothing has been written.
    """
    found = snapshot.columns()
    check_schema(found)
    identity, horizon, next_xid, snapshot_time = snapshot.position()
    columns = {name: (*table.column_names, *_beyond(found[name], table)) for name, table in SOURCE_TABLES.items()}
    reason = why_everything(previous, identity, horizon, next_xid) or _why_again(previous, columns)
    unfinished = previous.unfinished if previous and not reason else None
    since = None if reason or previous is None else unfinished.since if unfinished else previous.horizon
    limit = ROWS_PER_SECOND * seconds
    surveys = survey(snapshot, since, limit)
    todo = unfinished or Unfinished(since, horizon, tables_to_read(surveys, everything=bool(reason)))
    rows = sum(surveys[name].changed or 0 for name in todo.tables)
    batch = previous.batch + 1 if previous else 1
    return Plan(
        batch=batch,
        first=previous.first if previous and unfinished else batch,
        reason=previous.reason if previous and unfinished else reason,
        todo=todo,
        in_order=unfinished is not None or rows > limit,
        identity=identity,
        horizon=horizon,
        snapshot_time=snapshot_time,
        surveys=surveys,
        key_lists=frozenset(SOURCE_TABLES) if unfinished else key_lists | _shrunk(previous, surveys, reason),
        moved=_moved(previous, surveys, reason),
        columns=columns,
        unknown_tables=tuple(sorted(found.keys() - SOURCE_TABLES.keys())),
        held_back_seconds=_held_back(previous, since, horizon, next_xid, snapshot_time),
    )


def _shrunk(previous: Manifest | None, surveys: Mapping[str, Survey], reason: str) -> frozenset[str]:
    """Return the tables with fewer rows than before: some were deleted, and only a key list tells which."""
    if previous is None or reason:
        return frozenset()
    return frozenset(name for name, found in surveys.items() if found.count < previous.tables[name].source_count)


def _moved(previous: Manifest | None, surveys: Mapping[str, Survey], reason: str) -> frozenset[str]:
    if previous is None or reason:
        return frozenset()
    before = {name: (t.source_count, t.source_key_checksum) for name, t in previous.tables.items()}
    return frozenset(name for name, found in surveys.items() if (found.count, found.key_checksum) != before[name])


def survey(snapshot: Snapshot, since: int | None, limit: float = 0) -> dict[str, Survey]:
    """Count every table.

    Changed rows of a table that is read incrementally are not counted when it has fewer rows than `limit` in all: reading
    them is as quick.
    """
    return {
        name: snapshot.survey(
            table,
            since,
            count_changed=lambda count, table=table: table.reading is Reading.WHOLE or count > limit,  # type: ignore[misc]
        )
        for name, table in SOURCE_TABLES.items()
    }


def tables_to_read(surveys: Mapping[str, Survey], *, everything: bool) -> dict[str, int | None]:
    """Return the tables that may have something to read: those with changed rows, and all that share a group with one.

    Returns
    -------
    dict
        Table → None: nothing of it has been read.
    """
    changed = {name for name in SOURCE_TABLES if everything or surveys[name].changed != 0}
    groups = {SOURCE_TABLES[name].group for name in changed if SOURCE_TABLES[name].reading is Reading.WHOLE}
    return {
        name: None
        for name, table in SOURCE_TABLES.items()
        if name in changed or (table.reading is Reading.WHOLE and table.group in groups)
    }


def is_read_whole(table: SourceTable, since: int | None) -> bool:
    """Whether every row of `table` is read, and not only those that changed."""
    return since is None or table.reading is Reading.WHOLE


def why_everything(previous: Manifest | None, identity: SourceIdentity, horizon: int, next_xid: int) -> str:
    """Return why this extraction must read everything, or "" when the previous horizon can be trusted."""
    if previous is None:
        return "first batch"
    for attribute, what in _IDENTITY.items():
        before, now = getattr(previous.source, attribute), getattr(identity, attribute)
        if before != now:
            return f"the source is another {what} than before ({before}, now {now})"
    if horizon < previous.horizon:
        return "the horizon went backwards"
    if next_xid - previous.comparable_from > COMPARABLE_AGE:
        return "the previous horizon is too old to compare transaction ids"
    return ""


def _why_again(previous: Manifest | None, columns: Mapping[str, tuple[str, ...]]) -> str:
    """Return why an unfinished batch cannot be continued, or ""."""
    if previous is None or previous.unfinished is None:
        return ""
    if changed := [name for name in SOURCE_TABLES if previous.tables[name].columns != columns[name]]:
        return f"the columns of {', '.join(changed)} changed while the batch was being read"
    return ""


def build_manifest(plan: Plan, outcome: Outcome) -> Manifest:
    """Put together the manifest of what was read."""
    return Manifest(
        format=FORMAT,
        batch=plan.batch,
        previous=plan.batch - 1 or None,
        first=plan.first,
        unfinished=outcome.unfinished,
        reason=plan.reason,
        source=plan.identity,
        horizon=plan.horizon,
        snapshot_time=plan.snapshot_time.isoformat(timespec="microseconds"),
        tables={
            name: TableExtract(
                read=outcome.reads.get(name, "nothing"),
                columns=plan.columns[name],
                parts=outcome.parts.get(name, ()),
                rows=sum(p.rows for p in outcome.parts.get(name, ())),
                key_parts=outcome.key_parts.get(name),
                source_count=plan.surveys[name].count,
                source_key_checksum=plan.surveys[name].key_checksum,
            )
            for name in SOURCE_TABLES
        },
    )


def news(plan: Plan, previous: Manifest | None) -> list[str]:
    """Return what the source has beyond the contract and the previous batch did not have: worth one warning."""
    found = []
    for name, columns in plan.columns.items():
        before = previous.tables[name].columns if previous else ()
        for column in columns:
            if column not in SOURCE_TABLES[name].column_names and column not in before:
                found.append(
                    f"column {name}.{column} is not in the contract: extracted and kept in the log, not remodelled"
                )
    if plan.reason:
        found += [f"table {name} is not in the contract: not read" for name in plan.unknown_tables]
    return found


def adds_nothing(manifest: Manifest, previous: Manifest | None) -> bool:
    """Whether every row read was in the previous batch already.

    A transaction that stays open holds the horizon back, and the rows after it are read again each
    time; a batch with the same bytes as its predecessor would only cost a run.
    """
    if (
        previous is None
        or manifest.is_joined
        or manifest.unfinished
        or manifest.reason
        or any(t.key_parts is not None for t in manifest.tables.values())
    ):
        return False
    return all(
        extract.read == "nothing" or extract.content == previous.tables[name].content
        for name, extract in manifest.tables.items()
    )


def _beyond(found: Mapping[str, ColumnFound], table: SourceTable) -> list[str]:
    return [name for name in found if name not in table.column_names]


def _held_back(
    previous: Manifest | None, since: int | None, horizon: int, next_xid: int, snapshot_time: datetime
) -> float:
    """Seconds since the horizon was first seen where it still is, if a transaction keeps it there."""
    if previous is None or since is None or horizon > since or next_xid == horizon:
        return 0.0
    return (snapshot_time - datetime.fromisoformat(previous.snapshot_time)).total_seconds()
