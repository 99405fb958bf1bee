"""Changes of the platform's own tables in the warehouse, each made once."""

from dataclasses import dataclass

from psycopg import sql

from contracts.tables.lake import HISTORIES, SOURCE_DELETION
from lambdas.load.warehouse.ddl import Statement, create_table, create_versions_index
from lambdas.load.warehouse.naming import (
    BATCH,
    BATCH_TABLE,
    MIGRATION,
    OWNER,
    REBUILD_FILE,
    STAGED_FILE,
    STAR_COLUMN,
    VERIFICATION,
    Naming,
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One change of the platform's own tables, made once and in one transaction."""

    number: int
    description: str
    statements: tuple[Statement, ...]


def create_list_of_migrations(naming: Naming) -> Statement:
    """Return the statement that creates the list of what was applied."""
    return sql.SQL(
        "create table if not exists {} (number integer primary key, description varchar not null, "
        "applied_at timestamptz not null default clock_timestamp())"
    ).format(naming.own(MIGRATION))


def migrations(naming: Naming) -> list[Migration]:
    """Return every change of the platform's own tables, in order.

    A released one is never edited: what changes later is another one.
    """
    return [
        Migration(1, "the ledger", tuple(_ledger(naming))),
        Migration(2, "key counts and checksums", tuple(_figures(naming))),
        Migration(3, "histories of dimensions", tuple(_histories(naming))),
        Migration(4, "progress of a rebuild", tuple(_rebuild(naming))),
        Migration(5, "whose the ledger is, and what it loaded", tuple(_custody(naming))),
        Migration(6, "columns that the platform knows", tuple(_columns(naming))),
        Migration(7, "progress of a load in pieces", tuple(_staged(naming))),
    ]


def _ledger(naming: Naming) -> list[Statement]:
    batch, deletion = naming.own(BATCH), naming.table(SOURCE_DELETION)
    return [
        sql.SQL(
            "create table if not exists {} (batch integer primary key, snapshot_time timestamptz not null, "
            "published_at timestamptz not null, loaded_at timestamptz not null default clock_timestamp())"
        ).format(batch),
        sql.SQL(
            "create table if not exists {} (batch integer not null references {} (batch), table_name varchar not null, "
            "inserted bigint not null, updated bigint not null, first_record_id bigint, last_record_id bigint, "
            "primary key (table_name, batch))"
        ).format(naming.own(BATCH_TABLE), batch),
        # A deletion ends the versions of its key up to last_record_id; a later one means that the key came back.
        sql.SQL(
            "create table if not exists {} (source_table varchar not null, source_key integer not null, "
            "batch integer not null references {} (batch), deleted_at timestamp not null, last_record_id bigint not null, "
            "primary key (source_table, source_key, batch))"
        ).format(deletion, batch),
    ]


def _figures(naming: Naming) -> list[Statement]:
    batch_table = naming.own(BATCH_TABLE)
    return [
        sql.SQL(
            "alter table {} add column if not exists deleted bigint not null default 0, "
            "add column if not exists current_keys bigint, add column if not exists key_checksum numeric"
        ).format(batch_table),
        # The batch that wrote a record is the last one that begins at or before it.
        sql.SQL("create index if not exists {} on {} (table_name, first_record_id desc)").format(
            sql.Identifier("batch_table_first_record_id"), batch_table
        ),
        sql.SQL(
            "create table if not exists {} (table_name varchar primary key, batch integer not null, "
            "verified_at timestamptz not null default clock_timestamp())"
        ).format(naming.own(VERIFICATION)),
    ]


def _histories(naming: Naming) -> list[Statement]:
    statements: list[Statement] = []
    for table in HISTORIES.values():
        statements += [create_table(naming, table), create_versions_index(naming, table, "valid_from")]
    return statements


def _rebuild(naming: Naming) -> list[Statement]:
    # Unlogged together with their progress: what a crash of the server empties, it empties as a whole.
    return [
        sql.SQL("create unlogged table if not exists {} (table_name varchar, key varchar, primary key (key))").format(
            naming.own(REBUILD_FILE)
        )
    ]


def _custody(naming: Naming) -> list[Statement]:
    batch = naming.own(BATCH)
    return [
        sql.SQL(
            "alter table {} add column if not exists publication_digest varchar, add column if not exists lake varchar, "
            "add column if not exists time_zone varchar"
        ).format(batch),
        sql.SQL(
            "create table if not exists {} (lake varchar not null, lake_bucket varchar not null, "
            "star_schema varchar not null, since timestamptz not null default clock_timestamp())"
        ).format(naming.own(OWNER)),
        sql.SQL("create unique index if not exists {} on {} ((true))").format(
            sql.Identifier("owner_is_one"), naming.own(OWNER)
        ),
    ]


def _columns(naming: Naming) -> list[Statement]:
    return [
        sql.SQL(
            "create table if not exists {} (table_name varchar not null, column_name varchar not null, "
            "since timestamptz not null default clock_timestamp(), primary key (table_name, column_name))"
        ).format(naming.own(STAR_COLUMN))
    ]


def _staged(naming: Naming) -> list[Statement]:
    # Unlogged together with the rows that it tells of, as the rebuild's.
    return [
        sql.SQL(
            "create unlogged table if not exists {} (key varchar primary key, table_name varchar not null, "
            "publication_digest varchar not null, row_groups integer not null, rows bigint not null, is_whole boolean not null)"
        ).format(naming.own(STAGED_FILE))
    ]
