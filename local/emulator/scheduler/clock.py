"""The clock of the schedules: that of the machine, unless somebody has moved it."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path


class Clock:
    """A clock that a file can set forward or back; both processes that look at the file see the same time.

    Parameters
    ----------
    file
        Holds how many seconds the clock is ahead of the machine's. It need not exist.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        """Return the time, in UTC."""
        ahead = float(self._file.read_text()) if self._file.exists() else 0.0
        return datetime.now(UTC) + timedelta(seconds=ahead)

    def set(self, moment: datetime) -> None:
        """Let it be `moment` now."""
        scratch = self._file.with_suffix(".new")
        scratch.write_text(str((moment - datetime.now(UTC)).total_seconds()))
        os.replace(scratch, self._file)
