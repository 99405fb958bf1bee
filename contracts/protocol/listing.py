"""The listing: the lake's files as they are after a batch, from which a warehouse is rebuilt."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from contracts.protocol.document import Document, Tables, check_head, check_tables, check_time
from contracts.protocol.object_layout import listing_key
from contracts.protocol.publication import DataFile
from contracts.protocol.strict_json import added
from contracts.tables.first import FIRST_LISTED_TABLES
from contracts.tables.lake import HISTORIES, SOURCE_DELETION
from contracts.tables.star import STAR_TABLES
from contracts.tables.table import StarTable

#: What a warehouse holds of the lake.
LISTED_TABLES: dict[str, StarTable] = {
    **STAR_TABLES,
    **{table.name: table for table in HISTORIES.values()},
    SOURCE_DELETION.name: SOURCE_DELETION,
}


@dataclass(frozen=True, slots=True)
class Listing(Document):
    """Every data file of every table that the warehouse holds, and all rows of them count.

    Attributes
    ----------
    batch
        The newest batch that is in them.
    snapshot_time
        That batch's.
    listed_at
        When the files were listed, ISO 8601 in UTC. The lake's maintenance may remove them days later.
    lake
        Name of the lake; "" in format 1.
    release
        Release that wrote it; "" before format 3.
    """

    layout: ClassVar[Callable[[int], str]] = staticmethod(listing_key)

    format: int
    batch: int
    snapshot_time: str
    listed_at: str
    tables: dict[str, tuple[DataFile, ...]]
    lake: str = added(2, "")
    release: str = added(3, "")

    def __post_init__(self) -> None:
        """Check the document as a whole."""
        check_head(self.batch, self.snapshot_time)
        check_time(self.listed_at)
        check_tables(self.tables.keys(), LISTED_TABLES.keys(), FIRST_LISTED_TABLES)
        object.__setattr__(self, "tables", Tables(self.tables, LISTED_TABLES, ()))
