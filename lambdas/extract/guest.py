"""A good guest: while tables are read, nobody's change of their schema waits for long.

Reading locks a table against ``ALTER TABLE``, ``TRUNCATE`` and their like (ACCESS SHARE), until the transaction ends; and
every writer queues up behind such a command that waits. So a second connection looks once a second whether one does.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg

from lambdas.errors import PlatformError

#: Seconds between two looks; a reading that is shorter opens no second connection.
LOOK_SECONDS = 1.0
_WAITING = (
    "select exists (select from pg_locks w join pg_locks h on h.locktype = 'relation' and h.database = w.database "
    "and h.relation = w.relation and h.granted and h.pid = %s "
    "where w.locktype = 'relation' and not w.granted and w.mode = 'AccessExclusiveLock' and w.pid <> h.pid)"
)


class Guest:
    """Looks whether somebody waits for what a session has locked.

    Parameters
    ----------
    connect
        Opens a connection to the same database.
    backend_pid
        The session that reads.
    patience_seconds
        For how long somebody must have been seen waiting.
    clock
        A monotonic clock, in seconds.
    """

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        backend_pid: int,
        patience_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._backend_pid = backend_pid
        self._patience = patience_seconds
        self._clock = clock
        self._next_look = clock() + LOOK_SECONDS
        self._seen_since: float | None = None
        self._connection: psycopg.Connection[Any] | None = None

    def must_give_way(self) -> bool:
        """Tell whether somebody has been waiting for as long as is bearable; looks at most once a second."""
        now = self._clock()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._seen_since = (self._seen_since or now) if self._does_somebody_wait() else None
        return self._seen_since is not None and now - self._seen_since >= self._patience

    def close(self) -> None:
        """Close the second connection, if there is one."""
        if self._connection is not None:
            self._connection.close()

    def _does_somebody_wait(self) -> bool:
        # Without a second connection (the login's limit, a pooler that is full) the reading goes on as it did before.
        with suppress(psycopg.Error, PlatformError):
            if self._connection is None:
                self._connection = self._connect()
                self._connection.autocommit = True
            row = self._connection.execute(_WAITING, (self._backend_pid,)).fetchone()
            return bool(row and row[0])
        return False
