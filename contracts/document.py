"""What manifest and publication have in common: how their content is checked, and their number against their key."""

import re
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from contracts.errors import DamagedDocumentError

#: Version of the documents that this release writes and reads.
FORMAT = 1


class Numbered(Protocol):
    """A document with the number of its batch."""

    @property
    def batch(self) -> int:
        """The number."""


D = TypeVar("D", bound=Numbered)


def check_head(format: int, batch: int, snapshot_time: str) -> None:
    """Check a document's format, number and time; a ValueError says what is wrong."""
    if format != FORMAT:
        raise ValueError(f"has format {format}, this release reads {FORMAT}: deploy the release that wrote it or newer")
    if batch < 1:
        raise ValueError(f"has batch {batch}, expected 1 or more")
    check_time(snapshot_time)


def check_time(text: str) -> None:
    """Check that a moment is written as the documents write it."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", text):
        raise ValueError(f"has time {text!r}, expected ISO 8601 in UTC with microseconds")


def check_tables(found: Iterable[str], expected: Iterable[str]) -> None:
    """Check that a document names exactly the expected tables."""
    if missing := sorted(set(expected) - set(found)):
        raise ValueError(f"lacks tables {', '.join(missing)}")
    if unknown := sorted(set(found) - set(expected)):
        raise ValueError(f"has unknown tables {', '.join(unknown)}")


def numbered(document: D, key: str, layout: Callable[[int], str]) -> D:
    """Return a document that was stored under `key`.

    Raises
    ------
    DamagedDocumentError
        When that is another batch's key.
    """
    if layout(document.batch) != key:
        raise DamagedDocumentError(f"{key}: is the document of batch {document.batch}")
    return document
