"""The manifest: the commit of a batch to the ingestion bucket.

It is written last, once, by a conditional put. Batches are numbered 1, 2, 3 … without gaps. A batch that is too large
for one run of the extraction has several manifests: all but the last say what is left to read, and the last one's
number is the number of the whole. `contracts.protocol.publication` commits what the lake made of a batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from contracts.protocol.document import Document, Tables, check_head, check_tables, check_time
from contracts.protocol.object_layout import manifest_key
from contracts.protocol.strict_json import added
from contracts.tables.first import FIRST_SOURCE_TABLES
from contracts.tables.source import SOURCE_TABLES


@dataclass(frozen=True, slots=True)
class Part:
    """One immutable object of rows.

    Attributes
    ----------
    key
        Exact key in the bucket.
    bytes, rows
        Size of the object, and how many rows it holds (header not counted).
    sha256
        Hex digest of the object's bytes.
    """

    key: str
    bytes: int
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What a source table is beside its rows. Where it changes, content may have changed without a new ``xmin``.

    Attributes
    ----------
    relation
        ``oid`` of the table.
    columns
        For each column, in order, its number, name and type, the labels of an enum, and what generates it.
    children
        ``oid`` of every table that inherits from it, at any depth, in order: partitions too.
    """

    relation: int
    columns: tuple[str, ...]
    children: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Witness:
    """Row versions by which a later snapshot tells whether the source's history is still the same one.

    Attributes
    ----------
    since
        Transaction id, 64-bit. The table's rows that were written by it or a later one, below the manifest's horizon, are
        all among `rows`.
    rows
        Pairs of key and transaction id.
    """

    since: int
    rows: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class TableExtract:
    """What a batch holds of one source table.

    Attributes
    ----------
    read
        ``changed``: the rows changed since the previous batch's horizon; ``whole``: every row;
        ``nothing``: no row of it (or of its group) changed.
    columns
        Columns in the order of the CSV.
    parts
        CSV objects; empty when `read` is ``nothing``.
    rows
        Rows in all parts.
    key_parts
        CSV objects with the complete list of the table's keys in the same snapshot, or None when the
        batch carries none. Keys that the lake holds and the list does not were deleted.
    source_count, source_key_checksum
        The source's own count and key checksum of the whole table in the same snapshot.
    reason
        Why this table was read whole in a batch of changed rows, or "".
    shape
        What the table was in that snapshot; None in format 1.
    witness
        Its newest row versions; None when they were not looked at.
    modelled
        Columns of star tables, as ``table.column``, that the contract made of it; empty before format 3.
    """

    read: str
    columns: tuple[str, ...]
    parts: tuple[Part, ...]
    rows: int
    key_parts: tuple[Part, ...] | None
    source_count: int
    source_key_checksum: int
    reason: str = added(2, "")
    shape: Shape | None = added(2, None)
    witness: Witness | None = added(2, None)
    modelled: tuple[str, ...] = added(3, ())

    def __post_init__(self) -> None:
        """Check what must agree inside one table's entry."""
        if self.read not in ("changed", "whole", "nothing"):
            raise ValueError(f"read is {self.read!r}, expected changed, whole or nothing")
        if self.rows != sum(p.rows for p in self.parts):
            raise ValueError(f"rows is {self.rows}, its parts hold {sum(p.rows for p in self.parts)}")
        if self.key_parts is not None and sum(p.rows for p in self.key_parts) != self.source_count:
            raise ValueError(
                f"key_parts hold {sum(p.rows for p in self.key_parts)} keys, the source counted {self.source_count}"
            )

    @property
    def content(self) -> tuple[tuple[str, int], ...]:
        """The digests and sizes of its parts: equal content was read equal."""
        return tuple((p.sha256, p.rows) for p in self.parts)


#: What a batch holds of a table that its contract did not have.
ABSENT = TableExtract(
    read="nothing", columns=(), parts=(), rows=0, key_parts=None, source_count=0, source_key_checksum=0
)


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """Which database, and which of its histories, a horizon belongs to.

    Attributes
    ----------
    system_identifier
        Of the cluster, fixed at initdb; None where the source refuses to tell it.
    timeline
        Moves with every promotion or point-in-time recovery; None where the source refuses to tell it.
    database_oid
        Of the database inside the cluster.
    refused
        What the source refuses to tell, each with the code of its error: ``timeline (55000)``.
    """

    system_identifier: str | None
    timeline: int | None
    database_oid: int
    refused: tuple[str, ...] = added(3, ())

    @property
    def is_partial(self) -> bool:
        """Whether the source refuses to tell a part of it."""
        return self.system_identifier is None or self.timeline is None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Where a batch stopped because its time ran out.

    The rest is read later, in other snapshots; then what changed after `horizon` is read again, until one
    snapshot has seen the end. So the whole is what that last snapshot holds.

    Attributes
    ----------
    since
        Horizon from which rows are read, or None when every row is.
    horizon
        Horizon of the snapshot in which this reading began.
    tables
        Tables that are not read to their end, and the last key that was read of each, or None.
    whole
        Those of them of which every row is read, whatever `since` says.
    """

    since: int | None
    horizon: int
    tables: dict[str, int | None]
    whole: tuple[str, ...] = added(2, ())

    def __post_init__(self) -> None:
        """Check that the tables exist."""
        if unknown := sorted((self.tables.keys() | set(self.whole)) - SOURCE_TABLES.keys()):
            raise ValueError(f"has unknown tables {', '.join(unknown)}")


@dataclass(frozen=True, slots=True)
class Manifest(Document):
    """The commit of a batch, or of a part of one.

    Attributes
    ----------
    batch, previous
        Its number and its predecessor's; None for the first.
    first
        Number of the manifest that the batch begins with: its own, unless it continues another.
    unfinished
        What is left to be read, or None when the batch is whole. A batch of several manifests ends
        with the complete key list of every table: keys that an earlier one read and that are not listed
        were deleted meanwhile.
    reason
        Why everything was read, or "" for an incremental batch.
    horizon
        ``pg_snapshot_xmin`` of the snapshot: every transaction below it had ended. 64-bit.
    snapshot_time
        Source's clock when the snapshot was taken, ISO 8601 in UTC.
    lake
        Name of the lake that the batch belongs to, made with its first batch; "" in format 1.
    extracted_at
        The extraction's own clock at that moment, by which waiting is measured; "" in format 1.
    server_started
        When the source's server was started, as it says itself; "" in format 1.
    time_zone
        Zone in which the source's server writes timestamps without one; "" in format 1.
    release
        Release that wrote it; "" before format 3.
    """

    layout: ClassVar[Callable[[int], str]] = staticmethod(manifest_key)

    format: int
    batch: int
    previous: int | None
    first: int
    unfinished: Unfinished | None
    reason: str
    source: SourceIdentity
    horizon: int
    snapshot_time: str
    tables: dict[str, TableExtract]
    lake: str = added(2, "")
    extracted_at: str = added(2, "")
    server_started: str = added(2, "")
    time_zone: str = added(2, "")
    release: str = added(3, "")

    def __post_init__(self) -> None:
        """Check the document as a whole."""
        check_head(self.batch, self.snapshot_time)
        check_time(self.extracted_at, optional=True)
        if self.previous != (self.batch - 1 or None):
            raise ValueError(f"previous is {self.previous}, expected {self.batch - 1 or None}")
        if not 1 <= self.first <= self.batch:
            raise ValueError(f"first is {self.first}, expected 1 to {self.batch}")
        check_tables(self.tables.keys(), SOURCE_TABLES.keys(), FIRST_SOURCE_TABLES)
        object.__setattr__(self, "tables", Tables(self.tables, SOURCE_TABLES, ABSENT))
        if self.is_joined and not self.unfinished and any(t.key_parts is None for t in self.tables.values()):
            raise ValueError(f"continues batch {self.first} and ends it without the key lists of all tables")

    @property
    def is_joined(self) -> bool:
        """Whether the batch has several manifests."""
        return self.first < self.batch

    @property
    def is_full(self) -> bool:
        """Whether it holds every row of every table: nothing before it is needed."""
        return self.unfinished is None and all(extract.read == "whole" for extract in self.tables.values())

    @property
    def taken_at(self) -> str:
        """When the snapshot was taken: by the extraction's clock where it is known, else by the source's."""
        return self.extracted_at or self.snapshot_time

    @property
    def comparable_from(self) -> int:
        """The oldest horizon that the next extraction compares transaction ids with."""
        if self.unfinished is None:
            return self.horizon
        return self.unfinished.horizon if self.unfinished.since is None else self.unfinished.since


def joined(manifests: Sequence[Manifest]) -> Manifest:
    """Put a whole batch together from its manifests, in order: their parts, under the last one's number and counts.

    Parts of several manifests may hold a key more than once (the row of the highest batch number is the newest)
    and keys that are gone (they are not in the key list).
    """
    last = manifests[-1]
    return replace(last, tables={name: _joined([m.tables[name] for m in manifests]) for name in last.tables})


def _joined(extracts: Sequence[TableExtract]) -> TableExtract:
    reads = {extract.read for extract in extracts}
    return replace(
        extracts[-1],
        read="whole" if "whole" in reads else "changed" if "changed" in reads else "nothing",
        parts=tuple(part for extract in extracts for part in extract.parts),
        rows=sum(extract.rows for extract in extracts),
    )
