"""A connection to the database of a secret, also while its login is being rotated."""

import time
from typing import Any

import psycopg

from lambdas import clients
from lambdas.errors import LoginRefusedError
from lambdas.observability import logger
from lambdas.postgres import connect
from lambdas.secret import read_connection_details

#: Seconds after which a secret is read again whose login was refused: a rotation changes the login first, then the secret.
PAUSE_SECONDS = 5.0


def open_database(
    secret_id: str, *, is_tried_again: bool = True, **options: Any
) -> psycopg.Connection[tuple[object, ...]]:
    """Read a secret and connect; when the login is refused, read it once more after a pause, and connect with what it then holds.

    Parameters
    ----------
    is_tried_again
        Whether it is worth the pause; not where the caller comes back by itself.
    options
        Of `lambdas.postgres.connect`.

    Raises
    ------
    SecretError, DatabaseUnreachableError, LoginRefusedError
        With neither host, user nor password in the message.
    """
    client = clients.client("secretsmanager")
    try:
        return connect(read_connection_details(client, secret_id), secret_id=secret_id, **options)
    except LoginRefusedError as error:
        if not is_tried_again:
            raise
        logger.warning("the secret is read again", detail=str(error))
    time.sleep(PAUSE_SECONDS)
    return connect(read_connection_details(client, secret_id), secret_id=secret_id, **options)
