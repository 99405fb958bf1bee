"""What a commit of the lake keeps of itself: a property of the Iceberg snapshot, from which a rerun publishes it."""

from dataclasses import dataclass, replace

from contracts.protocol.strict_json import added, decode, encode, optional
from contracts.release import FORMAT, RELEASE


@dataclass(frozen=True, slots=True)
class Figures:
    """What a batch committed to one table.

    Attributes
    ----------
    inserted, updated
        Keys that are current for the first time or again, and keys whose content changed.
    inserted_checksum
        Key checksum of the inserted ones.
    lowest_inserted
        Lowest of them; 2^31 when there is none.
    lowest, highest
        Range of the keys that were written; 0 and -1 when there is none.
    years
        Years that the rows refer to.
    first_record_id, last_record_id
        Range of the record ids of a fact; 0 for other tables.
    """

    inserted: int
    updated: int
    inserted_checksum: int
    lowest_inserted: int
    lowest: int
    highest: int
    years: tuple[int, ...]
    first_record_id: int = optional(0)
    last_record_id: int = optional(0)
    format: int = added(3, 2)
    release: str = added(3, "")

    def with_records(self, first: int, last: int) -> "Figures":
        """Return them with a range of record ids."""
        return replace(self, first_record_id=first, last_record_id=last)

    def to_json(self) -> str:
        """Serialise, as this release does."""
        return encode(replace(self, format=FORMAT, release=RELEASE)).decode()

    @classmethod
    def from_json(cls, text: str, table: str) -> "Figures":
        """Read what `to_json` of this or an earlier release has written.

        Raises
        ------
        DamagedDocumentError
            Naming the table, when it is damaged or of a newer release.
        """
        return decode(cls, text.encode(), f"figures of the newest commit to {table}")
