"""Which database a snapshot is of, as far as the source tells it.

Some sources refuse a part. Aurora's ``pg_current_wal_insert_lsn()`` fails when it is called, whatever was granted, unless
``wal_level`` is ``logical``; the owner of a database may have revoked ``pg_control_system()``. What is refused is left out of
the identity, with the code of the error. `lambdas.extract.witness` then looks in every extraction.
"""

from typing import Any

import psycopg
from psycopg import sql

from contracts.protocol.manifest import SourceIdentity

_DATABASE = "select oid::bigint from pg_database where datname = current_database()"
_SYSTEM = "select system_identifier::text from pg_control_system()"
# The timeline that is written now: the control file learns of a promotion only with the next checkpoint.
_TIMELINE = (
    "select case when pg_is_in_recovery() then (select timeline_id from pg_control_checkpoint()) "
    "else ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int end"
)
#: Errors of the operating class that are a refusal all the same: a state of the server, and files that it does not have.
_REFUSALS = ("55000", "58")


def read_identity(connection: psycopg.Connection[Any]) -> SourceIdentity:
    """Return the identity of the database, inside a transaction, which goes on whatever is refused.

    Raises
    ------
    psycopg.Error
        When the connection or the time is lost; that is no refusal.
    """
    refused: dict[str, str] = {}
    system = _told(connection, "system_identifier", _SYSTEM, refused)
    timeline = _told(connection, "timeline", _TIMELINE, refused)
    row = connection.execute(_DATABASE).fetchone()
    return SourceIdentity(
        system_identifier=system,
        timeline=timeline,
        database_oid=row[0] if row else 0,
        refused=tuple(f"{name} ({code})" for name, code in refused.items()),
    )


def _told(connection: psycopg.Connection[Any], name: str, query: str, refused: dict[str, str]) -> Any:
    """Return the answer to `query`; where it is refused, note the code and return None."""
    try:
        with connection.transaction():  # a savepoint: an error would end the snapshot
            row = connection.execute(sql.SQL(query)).fetchone()
            return row[0] if row else None
    except psycopg.Error as error:
        state = error.sqlstate or ""
        if isinstance(error, psycopg.OperationalError) and not state.startswith(_REFUSALS):
            raise
        refused[name] = state
        return None
