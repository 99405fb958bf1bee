"""The publication: the commit of what the lake made of a batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from contracts.protocol.document import Document, Tables, check_head, check_tables, check_time
from contracts.protocol.object_layout import publication_key
from contracts.protocol.strict_json import added
from contracts.tables.first import FIRST_LAKE_TABLES
from contracts.tables.lake import LAKE_TABLES


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file that a batch added to the lake.

    Attributes
    ----------
    key
        Exact key in the processed bucket.
    bytes, rows
        Its size and all of its rows; rows of other batches among them carry another ``batch_id``.
    """

    key: str
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class TablePublication:
    """What a batch did to one table of the lake.

    Attributes
    ----------
    snapshot_id
        Iceberg snapshot after the batch, as text; "" when the table never had one.
    files
        Data files that hold the batch's rows; empty when nothing changed.
    inserted, updated, deleted
        Keys that are current for the first time or again, keys whose content changed, keys found deleted.
    quarantined
        Rows of the source table that are quarantined after the batch.
    absent_keys, absent_checksum
        Of those, keys of which the table shows no older version, and their checksum.
    first_record_id, last_record_id
        Range of record ids assigned so far: the batch's first, and the table's last (facts).
    current_keys, key_checksum
        Keys that are current after the batch, and their checksum.
    lowest_key, highest_key
        Range of all keys that the table ever held; 0 and -1 before the first.
    surplus
        Keys that are current in the lake and gone in the source, when the batch had no key list to tell which.
    """

    snapshot_id: str
    files: tuple[DataFile, ...]
    inserted: int
    updated: int
    deleted: int
    quarantined: int
    absent_keys: int
    absent_checksum: int
    first_record_id: int
    last_record_id: int
    current_keys: int
    key_checksum: int
    lowest_key: int
    highest_key: int
    surplus: int

    @property
    def is_gapless(self) -> bool:
        """Whether every key between the lowest and the highest is current."""
        return self.current_keys == self.highest_key - self.lowest_key + 1

    @property
    def rows(self) -> int:
        """How many rows of the files belong to the batch."""
        return self.inserted + self.updated


#: What a table is before the first batch.
EMPTY = TablePublication(
    snapshot_id="",
    files=(),
    inserted=0,
    updated=0,
    deleted=0,
    quarantined=0,
    absent_keys=0,
    absent_checksum=0,
    first_record_id=1,
    last_record_id=0,
    current_keys=0,
    key_checksum=0,
    lowest_key=0,
    highest_key=-1,
    surplus=0,
)


@dataclass(frozen=True, slots=True)
class Superseded:
    """A batch that could not be transformed, and was left out because a full one came after it.

    Attributes
    ----------
    batch
        Its number.
    reason
        Why it could not be transformed.
    """

    batch: int
    reason: str


@dataclass(frozen=True, slots=True)
class Publication(Document):
    """The commit of what the lake made of a batch.

    Attributes
    ----------
    batch
        The batch's number.
    first
        The number after the previous publication's: lower than `batch` when the batch has several manifests.
    snapshot_time
        Of the batch: how fresh its content is.
    published_at
        When the publication was written, ISO 8601 in UTC.
    lake, extracted_at, time_zone
        Of the batch's manifest.
    manifest
        Digest of the (last) manifest that it was made of; "" in format 1.
    calendar
        Ranges of days since 1970, ends included, that the lake's calendar has after the batch; None in format 1.
    superseded
        Batches that it takes the place of.
    release
        Release that wrote it; "" before format 3.
    """

    layout: ClassVar[Callable[[int], str]] = staticmethod(publication_key)

    format: int
    batch: int
    first: int
    snapshot_time: str
    published_at: str
    tables: dict[str, TablePublication]
    lake: str = added(2, "")
    manifest: str = added(2, "")
    extracted_at: str = added(2, "")
    time_zone: str = added(2, "")
    calendar: tuple[tuple[int, ...], ...] | None = added(2, None)
    superseded: tuple[Superseded, ...] = added(2, ())
    release: str = added(3, "")

    def __post_init__(self) -> None:
        """Check the document as a whole."""
        check_head(self.batch, self.snapshot_time)
        check_time(self.published_at)
        check_time(self.extracted_at, optional=True)
        if any(len(days) != 2 or days[0] > days[1] for days in self.calendar or ()):
            raise ValueError("calendar has what is no range of days")
        if not 1 <= self.first <= self.batch:
            raise ValueError(f"first is {self.first}, expected 1 to {self.batch}")
        check_tables(self.tables.keys(), LAKE_TABLES.keys(), FIRST_LAKE_TABLES)
        object.__setattr__(self, "tables", Tables(self.tables, LAKE_TABLES, EMPTY))

    @property
    def taken_at(self) -> str:
        """When the batch's snapshot was taken: by the extraction's clock where it is known, else by the source's."""
        return self.extracted_at or self.snapshot_time
