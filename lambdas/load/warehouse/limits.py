"""How long the load's transactions wait for others, and how long others wait for a load that has died.

The limits hold for one transaction each, so they pass through a connection pooler, which shares its sessions out by
transactions and refuses a client that asks for settings of its own when it connects.
"""

from dataclasses import dataclass
from typing import Any

import psycopg

#: From this version on a server can give up a connection whose other end does not acknowledge what was sent.
_USER_TIMEOUT_VERSION = 12_00_00


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a transaction, in seconds.

    Attributes
    ----------
    lock_seconds
        How long a statement waits for a lock.
    idle_seconds
        How long the server waits for the next statement before it gives the load up and frees its locks.
    """

    lock_seconds: int
    idle_seconds: int

    def settings(self, server_version: int) -> dict[str, str]:
        """Return the server's settings for a transaction; a vanished client is noticed after a minute, not two hours."""
        found = {
            "lock_timeout": f"{self.lock_seconds}s",
            "idle_in_transaction_session_timeout": f"{self.idle_seconds}s",
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
        }
        return found | ({"tcp_user_timeout": "60s"} if server_version >= _USER_TIMEOUT_VERSION else {})

    def apply(self, connection: psycopg.Connection[Any]) -> None:
        """Set them for the transaction that is open."""
        values = self.settings(connection.info.server_version)
        calls = ", ".join(["set_config(%s, %s, true)"] * len(values))
        connection.execute(f"select {calls}", [text for item in values.items() for text in item])
