"""What is due fires: the loop over the schedules."""

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from local.emulator.scheduler.clock import Clock
from local.emulator.scheduler.schedule import Schedule, read_schedule

#: How long after its moment a schedule still fires: the emulator was busy, or deployed. What is older is missed, as AWS
#: does not make up for it either.
LATE = timedelta(minutes=10)
#: Seconds from one look at the clock to the next.
LOOK_SECONDS = 0.5

logger = logging.getLogger("scheduler")


class Loop:
    """Looks again and again which schedules are due.

    Parameters
    ----------
    clock
        Tells the time.
    records
        Returns the schedules as the service keeps them.
    fire
        Is called with each that is due, and when it was due; must not wait.
    """

    def __init__(
        self,
        clock: Clock,
        records: Callable[[], Iterable[dict[str, Any]]],
        fire: Callable[[Schedule, datetime], None],
    ) -> None:
        self._clock, self._records, self._fire = clock, records, fire
        self._seen = clock.now()

    def look(self) -> None:
        """Fire what became due since the last look: each schedule once, however often it was due."""
        now = self._clock.now()
        if now < self._seen - LATE:  # the clock was set back: what had fired may come again
            self._seen = now
        since, self._seen = max(self._seen, now - LATE), max(self._seen, now)
        for record in self._records():
            try:
                schedule = read_schedule(record)
            except ValueError as error:
                logger.error("Schedule %s does not fire: %s", record.get("Name"), error)
                continue
            if due := schedule.newest(since, now):
                self._fire(schedule, due)

    def run(self) -> None:
        """Look until the process ends; a look that fails is told, and the next one comes."""
        pause = threading.Event()
        while True:
            try:
                self.look()
            except Exception:
                logger.exception("The schedules were not looked at")
            pause.wait(LOOK_SECONDS)
