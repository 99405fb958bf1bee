"""Opening a PostgreSQL connection: TLS, time limits, and errors that tell no secret."""

import hashlib
import tempfile
from pathlib import Path

import psycopg
from psycopg import errors

from contracts.tls import TlsMode
from lambdas.errors import DatabaseUnreachableError, LoginRefusedError
from lambdas.secret import ConnectionDetails


def connect(
    details: ConnectionDetails,
    *,
    what: str,
    secret_id: str,
    tls: TlsMode,
    application_name: str,
    is_written: bool = False,
) -> psycopg.Connection[tuple[object, ...]]:
    """Open a connection that a pooler between here and the server can share out by transactions.

    No settings are sent when it opens and no statement is prepared by name: limits are set in each transaction.

    Parameters
    ----------
    what
        What the database is called in messages: ``source`` or ``warehouse``.
    secret_id
        Where `details` came from, for messages.
    is_written
        Whether the database is written to: a standby, which a failover may have left behind, is refused then.

    Raises
    ------
    DatabaseUnreachableError, LoginRefusedError
        With neither host, user nor password in the message.
    """
    parameters: dict[str, str | int] = {
        "host": details.host,
        "port": details.port,
        "dbname": details.dbname,
        "user": details.username,
        "password": details.password.get_secret_value(),
        "sslmode": tls.value,
        "connect_timeout": 10,
        "application_name": application_name,
        "client_encoding": "UTF8",
        "keepalives_idle": 30,
        "target_session_attrs": "read-write" if is_written else "any",
    }
    if details.ca_certificate:
        parameters["sslrootcert"] = str(_certificate_file(details.ca_certificate))
    elif tls is TlsMode.VERIFY_FULL:
        parameters["sslrootcert"] = "system"
    try:
        return psycopg.connect(prepare_threshold=None, **parameters)  # type: ignore[arg-type]
    except psycopg.Error as error:
        raise _explain(error, what, secret_id, tls) from None


def _certificate_file(text: str) -> Path:
    """Write a certificate where libpq can read it; the same text always goes to the same file."""
    file = Path(tempfile.gettempdir()) / f"ca-{hashlib.sha256(text.encode()).hexdigest()[:16]}.pem"
    file.write_text(text)
    return file


def _explain(error: psycopg.Error, what: str, secret_id: str, tls: TlsMode) -> Exception:
    text = str(error)
    if isinstance(error, errors.InvalidPassword | errors.InvalidAuthorizationSpecification) or any(
        hint in text for hint in ("authentication failed", "no password supplied", "no pg_hba.conf entry")
    ):
        return LoginRefusedError(
            f"The {what} refused the login in secret {secret_id}. Correct its username and password; the next run goes on."
        )
    if "does not exist" in text and "database" in text:
        return DatabaseUnreachableError(
            f"The {what} server has no database of the name in secret {secret_id}. Correct its dbname; the next run goes on."
        )
    if "SSL" in text or "certificate" in text:
        return DatabaseUnreachableError(
            f"No TLS connection ({tls.value}) to the {what} in secret {secret_id}. Check that the server offers TLS and that its "
            f"certificate is signed by a trusted authority (ca_certificate in the secret); the next run goes on."
        )
    return DatabaseUnreachableError(
        f"The {what} in secret {secret_id} cannot be reached. Check its host and port, the network path and that the server "
        f"runs; nothing was written and the next run goes on."
    )
