"""The load note: it lies beside the lake and says that the warehouse shows a batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from contracts.protocol.document import Document, check_time
from contracts.protocol.object_layout import load_key
from contracts.protocol.strict_json import added


@dataclass(frozen=True, slots=True)
class LoadNote(Document):
    """The confirmation of a load; the extraction and the lake's maintenance, which know no warehouse, look at it.

    Attributes
    ----------
    batch
        Newest batch that the warehouse shows.
    confirmed_at
        When the load said so, ISO 8601 in UTC.
    """

    layout: ClassVar[Callable[[int], str]] = staticmethod(load_key)

    batch: int
    confirmed_at: str
    format: int = added(3, 2)
    release: str = added(3, "")

    def __post_init__(self) -> None:
        """Check the document as a whole."""
        if self.batch < 1:
            raise ValueError(f"has batch {self.batch}, expected 1 or more")
        check_time(self.confirmed_at)
