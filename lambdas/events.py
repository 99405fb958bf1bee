"""Reading the event that started a function."""

from collections.abc import Mapping
from typing import Any, TypeVar

from contracts.errors import DamagedDocumentError
from contracts.protocol.strict_json import read
from lambdas.errors import EventError

T = TypeVar("T")


def parse(cls: type[T], event: Mapping[str, Any]) -> T:
    """Read an event as one of the dataclasses of `contracts.protocol.steps`.

    Raises
    ------
    EventError
        When a field is unknown or of another type; nothing was done.
    """
    try:
        return read(cls, event, "The event")
    except DamagedDocumentError as error:
        raise EventError(f"{error}. Nothing was done.") from None
