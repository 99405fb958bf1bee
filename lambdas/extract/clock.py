"""The time that a run has."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """When a run must stop.

    Attributes
    ----------
    started
        Of the monotonic clock.
    budget_seconds
        After how long reading stops where it can.
    end_seconds
        After how long it must end.
    """

    started: float
    budget_seconds: float
    end_seconds: float

    @property
    def is_time_up(self) -> bool:
        """Whether reading must stop where it can."""
        return time.monotonic() - self.started > self.budget_seconds

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.started

    @property
    def is_over(self) -> bool:
        """Whether it must end."""
        return time.monotonic() - self.started > self.end_seconds
