"""libpq connection URIs and the secrets made of them."""

import getpass
import json

import psycopg
from psycopg.conninfo import conninfo_to_dict

from local.errors import LocalError


def secret_from_url(url: str, what: str) -> str:
    """Turn a connection URI into the JSON that the functions read.

    Parameters
    ----------
    url
        Any libpq URI, over TCP or a unix socket.
    what
        ``source`` or ``warehouse``, for messages.

    Raises
    ------
    LocalError
        When it is no URI. The message does not repeat it: it may hold a password.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise LocalError(
            f"--{what} is not a PostgreSQL connection URI (postgresql://user:password@host:port/database)."
        ) from None
    user = parts.get("user") or getpass.getuser()  # as libpq does
    return json.dumps(
        {
            "host": parts.get("host") or parts.get("hostaddr") or "127.0.0.1",
            "port": int(parts.get("port") or 5432),
            "dbname": parts.get("dbname") or user,
            "username": user,
            "password": parts.get("password") or "",
        }
    )
