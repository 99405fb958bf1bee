"""The deployed schedules: whether they fire, and when each has fired last and fires next."""

from pathlib import Path
from typing import Any

from local.emulator.scheduler.clock import Clock
from local.emulator.scheduler.record import FiringRecord
from local.emulator.scheduler.schedule import read_schedule
from local.servers.emulator_process import client


def schedules(platform: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return every schedule by its name.

    Returns
    -------
    dict
        ``fires`` (whether it does), ``expression``, ``last`` and ``next`` (moments in ISO 8601, or None), and ``error`` (why the
        last firing reached nobody, or "").
    """
    scheduler, now = client(platform, "scheduler"), Clock(Path(platform["clock"])).now()
    last = {firing.schedule: firing for firing in FiringRecord(Path(platform["firings"])).read()}
    found = {}
    for known in scheduler.list_schedules()["Schedules"]:
        schedule = read_schedule(scheduler.get_schedule(Name=known["Name"], GroupName=known["GroupName"]))
        due, fired = schedule.next_after(now), last.get(schedule.name)
        found[schedule.name] = {
            "fires": schedule.is_enabled,
            "expression": schedule.expression,
            "last": fired.at if fired else None,
            "error": fired.error if fired else "",
            "next": due.isoformat(timespec="seconds") if due else None,
        }
    return found


def schedules_fire(platform: dict[str, str]) -> bool:
    """Tell whether the platform extracts by itself."""
    state = client(platform, "scheduler").get_schedule(Name=platform["extract_schedule"])["State"]
    return bool(state == "ENABLED")
