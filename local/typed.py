"""What people type after an option, read into what the platform takes."""

import re
from collections.abc import Iterable

from contracts.tables.source import SOURCE_TABLES
from local.errors import LocalError
from local.platform import DEFAULT_DAYS, Scale


def parse_scale(text: str) -> Scale:
    """Read ``730``, ``730days`` or ``100000orders``.

    Raises
    ------
    LocalError
        When it is none of these.
    """
    match = re.fullmatch(r"(\d{1,9})\s*(d|days?|o|orders)?", text)
    if not match or (number := int(match[1])) < 1:
        raise LocalError(f"--scale {text} is not known: give days (730 or 730days) or orders (100000orders).")
    return Scale(DEFAULT_DAYS, number) if (match[2] or "d").startswith("o") else Scale(number)


def parse_read(text: str) -> str | list[str]:
    """Read ``everything``, or names of tables with commas between them, as the extraction takes them in its event.

    Raises
    ------
    LocalError
        When it is neither, naming the tables that there are.
    """
    if text.strip() == "everything":
        return "everything"
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in SOURCE_TABLES]:
        raise LocalError(
            f"--read {','.join(unknown)} is not known: give everything, or tables of {', '.join(SOURCE_TABLES)}."
        )
    return names


def parse_settings(texts: Iterable[str]) -> dict[str, str]:
    """Read ``name=value`` of each text; the deployment checks what it gets.

    Raises
    ------
    LocalError
        When one has no name or no value.
    """
    pairs = [text.partition("=") for text in texts]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise LocalError(
                f"--set {name}{equals}{value} is not known: give NAME=VALUE, a setting of cdk_app/settings.py."
            )
    return {name: value for name, _, value in pairs}
