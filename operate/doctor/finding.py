"""A finding: how bad it is, what was found, what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is. Only a problem makes the command fail."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    kind
        Name of the kind in `operate.doctor.kinds`; "" when all is well.
    found
        What was found, in plain words: no secret, host, user or row value.
    remedy
        A command or a sentence; "" when there is nothing to do.
    """

    level: Level
    kind: str
    found: str
    remedy: str


def fine(found: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(Level.OK, "", found, "")
