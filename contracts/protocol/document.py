"""What manifest, publication, listing and load note have in common: how they are stored, and how their content is checked."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Self, TypeVar

from contracts.errors import DamagedDocumentError
from contracts.protocol.strict_json import decode, encode

T = TypeVar("T")


class Document:
    """A JSON object that is stored under the number of its batch; subclasses are dataclasses.

    Attributes
    ----------
    batch
        The batch's number.
    layout
        Key of the document of a batch.
    """

    __slots__ = ()

    batch: int
    layout: ClassVar[Callable[[int], str]]

    def to_json(self) -> bytes:
        """Serialise."""
        return encode(self)

    @property
    def digest(self) -> str:
        """SHA-256 of the document as it is stored."""
        return digest(self.to_json())

    @classmethod
    def from_json(cls, data: bytes, key: str) -> Self:
        """Read the document stored under `key`.

        Raises
        ------
        DamagedDocumentError
            When it is damaged, of a newer format or stored under another batch's key.
        """
        document = decode(cls, data, key)
        if cls.layout(document.batch) != key:
            raise DamagedDocumentError(f"{key}: is the document of batch {document.batch}")
        return document


def digest(data: bytes) -> str:
    """Return the SHA-256 of a stored document, by which its successor names it."""
    return hashlib.sha256(data).hexdigest()


def check_head(batch: int, snapshot_time: str) -> None:
    """Check a document's number and time; a ValueError says what is wrong."""
    if batch < 1:
        raise ValueError(f"has batch {batch}, expected 1 or more")
    check_time(snapshot_time)


def check_time(text: str, *, optional: bool = False) -> None:
    """Check that a moment is written as the documents write it; an `optional` one may be ""."""
    if optional and not text:
        return
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", text):
        raise ValueError(f"has time {text!r}, expected ISO 8601 in UTC with microseconds")


class Tables(dict[str, T]):
    """Entries by table. A table that the contract has gained since the document was written has the entry `absent`."""

    def __init__(self, entries: Mapping[str, T], known: Iterable[str], absent: T) -> None:
        super().__init__(entries)
        self._known = frozenset(known)
        self._absent = absent

    def __missing__(self, name: str) -> T:
        """Return what is there of a table that the document does not name."""
        if name not in self._known:
            raise KeyError(name)
        return self._absent


def check_tables(found: Iterable[str], known: Iterable[str], first: Iterable[str]) -> None:
    """Check that a document has the tables of the `first` contract, and none that the contract does not know.

    Tables that the contract has gained since may be absent: the document may be older.
    """
    if missing := sorted(set(first) - set(found)):
        raise ValueError(f"lacks tables {', '.join(missing)}")
    if unknown := sorted(set(found) - set(known)):
        raise ValueError(f"has unknown tables {', '.join(unknown)}: deploy the release that wrote it or newer")
