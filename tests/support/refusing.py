"""A source as a managed service has it: its login is the documented one, and the server refuses to tell what it is."""

import uuid
from contextlib import contextmanager

from local.home import ROOT
from local.servers.urls import secret_from_url

#: As Aurora answers, whatever was granted, when ``wal_level`` is not ``logical``.
FAILS = """
    create schema service;
    create function service.pg_current_wal_insert_lsn() returns pg_lsn language plpgsql as
    $$ begin raise exception 'wal_level must be set to ''logical''' using errcode = '55000'; end $$;
    grant usage on schema service to {role};
    alter role {role} in database {database} set search_path = service, pg_catalog, public;
"""
REVOKED = """
    revoke execute on function pg_control_system(), pg_control_checkpoint(), pg_walfile_name(pg_lsn) from public;
"""
HANGS = FAILS.replace(
    "raise exception 'wal_level must be set to ''logical''' using errcode = '55000'", "perform pg_sleep(60)"
)


@contextmanager
def refusing_login(pipeline, refusals=FAILS + REVOKED):
    """Give the extraction the documented login, in a database that refuses; yields the role."""
    role = f"plain_{uuid.uuid4().hex[:8]}"
    script = (ROOT / "docs" / "sql" / "create_source_role.sql").read_text().replace("totesys_extract", role)
    database = pipeline.source_url.rsplit("/", 1)[1]
    with pipeline.source() as connection:
        connection.execute(script)
        connection.execute(f"alter role {role} password 'pw'")
        connection.execute(refusals.format(role=role, database=database))
    store(pipeline, "source", pipeline.source_url.replace("postgres:secret-source", f"{role}:pw"))
    try:
        yield role
    finally:
        with pipeline.source() as connection:
            connection.execute(f"drop owned by {role}")
            connection.execute(f"drop role {role}")


def store(pipeline, name, url):
    """Fill the secret of the ``source`` or the ``warehouse``."""
    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets[name], SecretString=secret_from_url(url, name)
    )
