"""What the event that started the function asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.tables.source import SOURCE_TABLES
from lambdas.errors import EventError


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
    """

    continues: int | None = None
    key_lists: frozenset[str] = frozenset()
    everything: bool = False
    tables: frozenset[str] = frozenset()

    @property
    def is_particular(self) -> bool:
        """Whether something is wanted that no other run brings by itself."""
        return self.everything or bool(self.tables or self.key_lists)


def parse_event(event: Mapping[str, Any]) -> Request:
    """Read the event.

    ``{"continues": 7}``; ``{"keys": "all"}`` or ``{"keys": [tables]}``; ``{"read": "everything"}`` or ``{"read": [tables]}``.
    Any other event asks for nothing.

    Raises
    ------
    EventError
        When it asks for something else.
    """
    number = event.get("continues")
    if number is not None and type(number) is not int:
        raise EventError(f"The event continues {number!r}; give the number of a manifest. Nothing was written.")
    everything = event.get("read") == "everything"
    return Request(
        continues=number,
        key_lists=_tables(event.get("keys", []), "keys of", "all"),
        everything=everything,
        tables=frozenset() if everything else _tables(event.get("read", []), "all rows of", "everything"),
    )


def _tables(wanted: Any, what: str, every: str) -> frozenset[str]:
    if wanted == every:
        return frozenset(SOURCE_TABLES)
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise EventError(
            f'The event asks for {what} {wanted!r}; give "{every}" or a list of tables. Nothing was written.'
        )
    if unknown := sorted(set(wanted) - SOURCE_TABLES.keys()):
        raise EventError(
            f"The event asks for {what} {', '.join(unknown)}; there are {', '.join(SOURCE_TABLES)}. Nothing was written."
        )
    return frozenset(wanted)
