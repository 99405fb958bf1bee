"""One extraction at a time: a lease in the source that a dead holder cannot keep.

The lease is an advisory lock of the extraction's own transaction. It needs no privilege, works in a read-only transaction, on a
hot standby and through a pooler, and it ends with the transaction: with the connection at the latest. Only trying it is safe: who
waits for a lock inside a statement reads, afterwards, a snapshot from before the wait.
"""

import hashlib

#: From these versions on a server can give up a connection whose other end does not acknowledge what was sent, and look during a
#: statement whether the other end has gone.
_USER_TIMEOUT_VERSION, _CONNECTION_CHECK_VERSION = 12_00_00, 14_00_00
#: Servers on other systems may refuse to look during a statement.
_CHECK = "case when version() like '%%linux%%' then '10s' else '0' end"


def lease_key(owner: str) -> int:
    """Return the number of the lock that all extractions into the ingestion bucket `owner` share, and no others."""
    digest = hashlib.sha256(f"totesys extraction into {owner}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def lease_statement(key: int, settings: dict[str, str], server_version: int) -> tuple[str, list[str | int]]:
    """Return the first statement of a transaction: it tries the lease, and sets the transaction's settings.

    A client that has vanished is noticed after a minute, not after two hours.

    Parameters
    ----------
    key
        See `lease_key`.
    settings
        Server settings by name.
    server_version
        As libpq writes it.

    Returns
    -------
    tuple
        The statement, whose first column says whether the lease was free, and its parameters.
    """
    values = settings | {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
    if server_version >= _USER_TIMEOUT_VERSION:
        values["tcp_user_timeout"] = "60s"
    calls = ["pg_try_advisory_xact_lock(%s)", *["set_config(%s, %s, true)"] * len(values)]
    if server_version >= _CONNECTION_CHECK_VERSION:
        calls.append(f"set_config('client_connection_check_interval', {_CHECK}, true)")
    return f"select {', '.join(calls)}", [key, *(text for item in values.items() for text in item)]
