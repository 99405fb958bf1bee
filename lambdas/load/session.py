"""One connection to the warehouse, and how often it is tried to do something with one."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from tenacity import Retrying, retry_if_exception_type, wait_exponential_jitter

from lambdas.database import open_database
from lambdas.errors import DatabaseUnreachableError, WarehouseBusyError
from lambdas.load.settings import LoadSettings
from lambdas.load.warehouse.gateway import Warehouse
from lambdas.observability import logger

#: How often a connection that was lost, or a lock that others held, is tried.
ATTEMPTS = 10
#: Seconds of the function that must remain for another transaction to be begun.
RESERVE_SECONDS = 60
#: Share of an invocation's time that must remain for the last step of a rebuild or of a load in pieces: one transaction.
EXCHANGE_SHARE = 0.8


class Clock:
    """The time of one invocation, from now on.

    Parameters
    ----------
    remaining_seconds
        Tells how long the function may still run.
    load_seconds
        For how long something new may be begun.
    """

    def __init__(self, remaining_seconds: Callable[[], float], load_seconds: float) -> None:
        self.remaining_seconds = remaining_seconds
        self._load_seconds = load_seconds
        self._started = time.monotonic()
        self._begun_with = remaining_seconds()

    @property
    def left(self) -> float:
        """Seconds in which something may still be begun."""
        return min(self.remaining_seconds() - RESERVE_SECONDS, self._load_seconds - self._elapsed)

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def may_go_on(self) -> bool:
        """Tell whether another transaction may be begun."""
        return self.left > 0

    def may_exchange(self) -> bool:
        """Tell whether so much time remains that the next invocation would not have much more."""
        is_early = self._elapsed <= self._load_seconds * (1 - EXCHANGE_SHARE)
        return is_early and self.remaining_seconds() >= self._begun_with * EXCHANGE_SHARE


def attempts(remaining_seconds: Callable[[], float]) -> Retrying:
    """Return the attempts at something that another session or a lost connection may spoil."""
    return Retrying(
        retry=retry_if_exception_type((WarehouseBusyError, DatabaseUnreachableError)),
        wait=wait_exponential_jitter(initial=0.5, max=20),
        stop=lambda state: state.attempt_number >= ATTEMPTS or remaining_seconds() <= RESERVE_SECONDS,
        before_sleep=lambda state: logger.warning(
            "trying again", attempt=state.attempt_number, detail=str(state.outcome.exception() if state.outcome else "")
        ),
        reraise=True,
    )


@contextmanager
def open_warehouse(settings: LoadSettings) -> Iterator[Warehouse]:
    """Connect to the warehouse, and make and check what it must have."""
    connection = open_database(
        settings.warehouse_secret,
        what="warehouse",
        tls=settings.warehouse_tls,
        application_name="totesys-load",
        is_written=True,
    )
    with closing(connection):
        connection.autocommit = True
        warehouse = Warehouse(connection, settings.naming, settings.limits)
        warehouse.prepare()
        yield warehouse
