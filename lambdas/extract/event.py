"""What the event that started the function asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.protocol.steps import ExtractEvent
from contracts.tables.source import SOURCE_TABLES
from lambdas.errors import EventError
from lambdas.events import parse


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of an extraction beside what has changed.

    Attributes
    ----------
    continues
        Number of the manifest that the run was invoked to continue, or None.
    key_lists
        Tables whose complete key lists are wanted.
    everything
        Whether every row of every table is wanted.
    tables
        Tables of which every row is wanted.
    link
        How many times in a row the function has invoked itself.
    """

    continues: int | None = None
    key_lists: frozenset[str] = frozenset()
    everything: bool = False
    tables: frozenset[str] = frozenset()
    link: int = 0

    @property
    def is_particular(self) -> bool:
        """Whether something is wanted that no other run brings by itself."""
        return self.everything or bool(self.tables or self.key_lists)


def parse_event(event: Mapping[str, Any]) -> Request:
    """Read the event: an `ExtractEvent`. An empty one asks for nothing beside what has changed.

    Raises
    ------
    EventError
        When it asks for something else.
    """
    asked = parse(ExtractEvent, event)
    everything = asked.read == "everything"
    return Request(
        continues=asked.continues,
        key_lists=_tables(asked.keys, "keys of", "all"),
        everything=everything,
        tables=frozenset() if everything else _tables(asked.read, "all rows of", "everything"),
        link=asked.link,
    )


def _tables(wanted: str | tuple[str, ...], what: str, every: str) -> frozenset[str]:
    if wanted == every:
        return frozenset(SOURCE_TABLES)
    if isinstance(wanted, str):
        raise EventError(
            f'The event asks for {what} {wanted!r}; give "{every}" or a list of tables. Nothing was written.'
        )
    if unknown := sorted(set(wanted) - SOURCE_TABLES.keys()):
        raise EventError(
            f"The event asks for {what} {', '.join(unknown)}; there are {', '.join(SOURCE_TABLES)}. Nothing was written."
        )
    return frozenset(wanted)
