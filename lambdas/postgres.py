"""Opening a PostgreSQL connection: TLS, time limits, and errors that tell no secret."""

import psycopg
from psycopg import errors

from contracts.tls import TlsMode
from lambdas.authorities import trusted_authorities
from lambdas.errors import DatabaseUnreachableError, LoginRefusedError, SecretError
from lambdas.handshake import tls_problem
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
    SecretError, DatabaseUnreachableError, LoginRefusedError
        With neither host, user nor password in the message.
    """
    if tls is TlsMode.VERIFY_CA and not details.ca_certificate:
        raise SecretError(
            f"Secret {secret_id} lacks ca_certificate, and {tls.value}, which checks no name, believes that authority only. "
            f"Store its PEM text there, or deploy with {TlsMode.VERIFY_FULL.value}; the next run goes on."
        )
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
    authorities = trusted_authorities(tls, details.ca_certificate)
    if authorities:
        parameters["sslrootcert"] = str(authorities)
    try:
        return psycopg.connect(prepare_threshold=None, **parameters)  # type: ignore[arg-type]
    except psycopg.Error as error:
        raise _explain(error, details, tls, what=what, secret_id=secret_id) from None


def _explain(
    error: psycopg.Error, details: ConnectionDetails, tls: TlsMode, *, what: str, secret_id: str
) -> DatabaseUnreachableError | LoginRefusedError:
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
        authorities = trusted_authorities(tls, details.ca_certificate)
        problem = tls_problem(details, authorities, checks_name=tls is TlsMode.VERIFY_FULL)
        reason = problem.value if problem else "the reason is in the server's log. Correct TLS at the server"
        return DatabaseUnreachableError(
            f"No TLS connection ({tls.value}) to the {what} in secret {secret_id}: {reason}; the next run goes on."
        )
    return DatabaseUnreachableError(
        f"The {what} in secret {secret_id} cannot be reached. Check its host and port, the network path and that the server "
        f"runs; nothing was written and the next run goes on."
    )
