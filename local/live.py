"""Business that goes on until somebody stops it; batches with it, unless the schedules move them."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg

from local.batches import loaded_batch, move_batch
from local.errors import LocalError
from local.schedules import schedules_fire
from local.simulator.live import LiveBusiness

#: Seconds from the beginning of a batch to that of the next one, at least.
EVERY_SECONDS = 10
#: And from the end of one, at least.
PAUSE_SECONDS = 1
#: Seconds from one look into the warehouse to the next, where the schedules move batches.
WATCH_SECONDS = 2

Say = Callable[[str], None]


def live(platform: dict[str, str], per_minute: int, say: Say) -> None:
    """Let business happen in the source, until Ctrl-C; move batches as often as a laptop can, unless the schedules do it.

    A batch that is under way then is finished by the platform. One that fails is told, and the next one goes on.

    Parameters
    ----------
    per_minute
        Events in the source.
    say
        Where it is told what happens.

    Raises
    ------
    LocalError
        When the source does not answer any more.
    """
    stop = threading.Event()
    batches = _watch if schedules_fire(platform) else _batches
    threading.Thread(target=batches, args=(platform, say, stop), daemon=True).start()
    try:
        _business(platform, per_minute, say, stop)
    finally:
        stop.set()


def _business(platform: dict[str, str], per_minute: int, say: Say, stop: threading.Event) -> None:
    happened: dict[str, int] = {}
    due = told = time.monotonic()
    try:
        with psycopg.connect(platform["source_url"], connect_timeout=10) as connection:
            business = LiveBusiness(connection, random.Random())  # noqa: S311 - a simulation
            while not stop.is_set():
                what = business.happen()
                happened[what] = happened.get(what, 0) + 1
                if time.monotonic() - told >= EVERY_SECONDS:
                    counts = ", ".join(f"{count} {what}s" for what, count in sorted(happened.items()))
                    say(f"{business.now:%d %b %Y %H:%M} in the source: {counts}")
                    happened, told = {}, time.monotonic()
                due = max(due + 60 / per_minute, time.monotonic() - 1)
                stop.wait(max(0.0, due - time.monotonic()))
    except psycopg.OperationalError as error:
        raise LocalError(
            f"The source does not answer any more ({type(error).__name__}). Start the platform: python -m local up"
        ) from None


def _batches(platform: dict[str, str], say: Say, stop: threading.Event) -> None:
    """Move batch after batch; what fails, the next run makes good, as with the schedules."""
    while not stop.is_set():
        started = time.monotonic()
        try:
            say(_said(move_batch(platform)))
        except LocalError as error:
            say(f"No batch: {error}")
        except Exception as error:  # the thread goes on, as a schedule does
            say(f"No batch: {type(error).__name__}")
        stop.wait(max(PAUSE_SECONDS, EVERY_SECONDS - (time.monotonic() - started)))


def _watch(platform: dict[str, str], say: Say, stop: threading.Event) -> None:
    """Tell which batches the schedules have brought into the warehouse."""
    say("The schedules move the batches; `status` tells when they fire.")
    last: int | None = None
    while not stop.is_set():
        with suppress(LocalError):  # a warehouse that does not answer is no reason to stop
            newest = loaded_batch(platform)
            if last is not None and newest > last:
                say(f"Batch {newest} is in the warehouse.")
            last = newest
        stop.wait(WATCH_SECONDS)


def _said(outcome: dict[str, Any]) -> str:
    if outcome["batch"] is None:
        return f"No batch: {outcome['reason']}"
    stars = [t for name, t in outcome["tables"].items() if name.startswith(("dim_", "fact_"))]
    new, changed = (sum(table[what] for table in stars) for what in ("inserted", "updated"))
    return f"Batch {outcome['batch']}: {new:,} rows new, {changed:,} changed, in {outcome['seconds']['total']:.1f} s."
