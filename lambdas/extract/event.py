"""What the event that started the function asks for."""

from collections.abc import Mapping
from typing import Any

from contracts.source import SOURCE_TABLES
from lambdas.errors import EventError


def continued_number(event: Mapping[str, Any]) -> int | None:
    """Read from the event which manifest it continues: ``{"continues": 7}``, or None for any other event.

    Raises
    ------
    EventError
        When it is no number.
    """
    number = event.get("continues")
    if number is not None and type(number) is not int:
        raise EventError(f"The event continues {number!r}; give the number of a manifest. Nothing was written.")
    return number


def requested_key_lists(event: Mapping[str, Any]) -> frozenset[str]:
    """Read from the event which tables' key lists are wanted: ``{"keys": "all"}`` or ``{"keys": [tables]}``.

    Raises
    ------
    EventError
        When it names something else.
    """
    wanted = event.get("keys", [])
    if wanted == "all":
        return frozenset(SOURCE_TABLES)
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise EventError(f'The event asks for keys of {wanted!r}; give "all" or a list of tables. Nothing was written.')
    if unknown := sorted(set(wanted) - SOURCE_TABLES.keys()):
        raise EventError(
            f"The event asks for keys of {', '.join(unknown)}; there are {', '.join(SOURCE_TABLES)}. Nothing was written."
        )
    return frozenset(wanted)
