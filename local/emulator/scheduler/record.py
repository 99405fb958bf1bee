"""What was fired, one line of JSON each: for `status`, and for whoever wants to know who asked what of whom."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

#: Lines that are kept when the emulator starts.
KEPT = 1000


@dataclass(frozen=True, slots=True)
class Firing:
    """One invocation of a schedule's target.

    Attributes
    ----------
    schedule
        Name of the schedule.
    due, at
        When it was to fire, and when it had; ISO 8601, by the schedules' clock.
    role, target, input
        Who asked what of whom.
    attempts
        How often it was tried.
    error
        Why it was given up, or "".
    """

    schedule: str
    due: str
    at: str
    role: str
    target: str
    input: str
    attempts: int
    error: str


class FiringRecord:
    """The firings of a home, oldest first.

    Parameters
    ----------
    file
        Need not exist.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(self, firing: Firing) -> None:
        """Write one."""
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(firing)) + "\n")

    def read(self) -> list[Firing]:
        """Return all; a line that a killed process has left unfinished is passed over."""
        if not self._file.exists():
            return []
        lines = self._file.read_text("utf-8").splitlines()
        return [Firing(**json.loads(line)) for line in lines if line.endswith("}")]

    def shorten(self) -> None:
        """Keep the newest ones only."""
        newest = self.read()[-KEPT:]
        self._file.write_text("".join(json.dumps(asdict(firing)) + "\n" for firing in newest), "utf-8")
