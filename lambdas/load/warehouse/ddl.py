"""The warehouse's tables and views as SQL, derived from the contract."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from contracts.tables.lake import HISTORIES, SOURCE_DELETION
from contracts.tables.star import FACTS, STAR_TABLES
from contracts.tables.table import StarTable
from lambdas.load.warehouse.naming import BATCH, BATCH_TABLE, MIGRATION, OWNER, REBUILD_FILE, VERIFICATION, Places

Statement = sql.Composed


@dataclass(frozen=True, slots=True)
class Migration:
    """One change of the platform's own tables, made once and in one transaction."""

    number: int
    description: str
    statements: tuple[Statement, ...]


def create_list_of_migrations(places: Places) -> Statement:
    """Return the statement that creates the list of what was applied."""
    return sql.SQL(
        "create table if not exists {} (number integer primary key, description varchar not null, "
        "applied_at timestamptz not null default clock_timestamp())"
    ).format(places.own(MIGRATION))


def migrations(places: Places) -> list[Migration]:
    """Return every change of the platform's own tables, in order.

    A released one is never edited: what changes later is another one.
    """
    batch, batch_table, deletion = places.own(BATCH), places.own(BATCH_TABLE), places.table(SOURCE_DELETION)
    ledger = [
        sql.SQL(
            "create table if not exists {} (batch integer primary key, snapshot_time timestamptz not null, "
            "published_at timestamptz not null, loaded_at timestamptz not null default clock_timestamp())"
        ).format(batch),
        sql.SQL(
            "create table if not exists {} (batch integer not null references {} (batch), table_name varchar not null, "
            "inserted bigint not null, updated bigint not null, first_record_id bigint, last_record_id bigint, "
            "primary key (table_name, batch))"
        ).format(batch_table, batch),
        # A deletion ends the versions of its key up to last_record_id; a later one means that the key came back.
        sql.SQL(
            "create table if not exists {} (source_table varchar not null, source_key integer not null, "
            "batch integer not null references {} (batch), deleted_at timestamp not null, last_record_id bigint not null, "
            "primary key (source_table, source_key, batch))"
        ).format(deletion, batch),
    ]
    figures = [
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
        ).format(places.own(VERIFICATION)),
    ]
    histories = []
    for table in HISTORIES.values():
        histories.append(_create_table(places, table))
        histories.append(_index(places, table, "valid_from"))
    # Unlogged together with their progress: what a crash of the server empties, it empties as a whole.
    rebuild = [
        sql.SQL("create unlogged table if not exists {} (table_name varchar, key varchar, primary key (key))").format(
            places.own(REBUILD_FILE)
        )
    ]
    custody = [
        sql.SQL(
            "alter table {} add column if not exists publication_digest varchar, add column if not exists lake varchar, "
            "add column if not exists time_zone varchar"
        ).format(batch),
        sql.SQL(
            "create table if not exists {} (lake varchar not null, lake_bucket varchar not null, "
            "star_schema varchar not null, since timestamptz not null default clock_timestamp())"
        ).format(places.own(OWNER)),
        sql.SQL("create unique index if not exists {} on {} ((true))").format(
            sql.Identifier("owner_is_one"), places.own(OWNER)
        ),
    ]
    return [
        Migration(1, "the ledger", tuple(ledger)),
        Migration(2, "key counts and checksums", tuple(figures)),
        Migration(3, "histories of dimensions", tuple(histories)),
        Migration(4, "progress of a rebuild", tuple(rebuild)),
        Migration(5, "whose the ledger is, and what it loaded", tuple(custody)),
    ]


def create_star(places: Places, table: StarTable) -> list[Statement]:
    """Return the statements that create a star table; what it refers to must exist."""
    key = sql.SQL("primary key ({})").format(sql.Identifier(table.primary_key))
    statements = [_create_table(places, table, key)]
    if table.record_id:
        statements.append(_index(places, table, table.record_id))
    return statements


def views(places: Places) -> dict[str, Statement]:
    """Return, for each view, its name and its query."""
    found: dict[str, Statement] = {}
    for fact in FACTS:
        found[f"current_{fact.source}"] = _current(places, fact)
        found[f"history_{fact.source}"] = _history(places, fact)
    for name, history in HISTORIES.items():
        found[f"history_{name.removeprefix('dim_')}"] = sql.SQL("select {} from {}").format(
            sql.SQL(", ").join(map(sql.Identifier, history.column_names)), places.table(history)
        )
    return found


def digest(query: str) -> str:
    """Return what tells one definition of a view from another; it stands in the view's comment."""
    return hashlib.sha256(query.encode()).hexdigest()[:16]


def _index(places: Places, table: StarTable, version: str) -> Statement:
    """Return the index by which the versions of a key are found, the newest first."""
    return sql.SQL("create index if not exists {} on {} ({}, {} desc)").format(
        sql.Identifier(f"{places.name(table)}_versions"),
        places.table(table),
        sql.Identifier(table.key),
        sql.Identifier(version),
    )


def _create_table(places: Places, table: StarTable, *constraints: sql.Composable) -> Statement:
    lines = [*_lines(places, table), *constraints]
    return sql.SQL("create table if not exists {} ({})").format(places.table(table), sql.SQL(", ").join(lines))


def _lines(places: Places, table: StarTable) -> Iterator[sql.Composable]:
    for column in table.columns:
        line = sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type.warehouse))
        if not column.nullable:
            line += sql.SQL(" not null")
        if column.references:
            target, _, key = column.references.partition(".")
            line += sql.SQL(" references {} ({})").format(places.table(STAR_TABLES[target]), sql.Identifier(key))
        yield line


def _columns(table: StarTable) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, table.column_names))


def _current(places: Places, table: StarTable) -> Statement:
    return sql.SQL(
        "select {columns} from (select distinct on ({key}) {columns} from {fact} "
        "order by {key}, {record} desc) newest where not exists (select 1 from {deletion} d "
        "where d.source_table = {source} and d.source_key = newest.{key} and d.last_record_id >= newest.{record})"
    ).format(
        key=sql.Identifier(table.key),
        columns=_columns(table),
        fact=places.table(table),
        record=sql.Identifier(table.record_id),
        deletion=places.table(SOURCE_DELETION),
        source=sql.Literal(table.source),
    )


def _history(places: Places, table: StarTable) -> Statement:
    # The first version holds from the creation of the row, which the source writes in its own zone, and never from later
    # than the snapshot that saw it; a later version holds from its snapshot: last_updated cannot tell, because silent
    # updates leave it alone. A version ends with the next one, or when its key was deleted. All moments are in UTC.
    return sql.SQL(
        "select {columns}, valid_from, least(next_from, deleted_at) as valid_to, "
        "next_from is null and deleted_at is null as is_current from (select versions.*, "
        "lead(valid_from) over (partition by {key} order by {record}) as next_from, "
        "(select min(d.deleted_at) from {deletion} d where d.source_table = {source} and d.source_key = versions.{key} "
        "and d.last_record_id >= versions.{record}) as deleted_at "
        "from (select f.*, case when row_number() over (partition by f.{key} order by f.{record}) = 1 "
        "then least((f.created_date + f.created_time) at time zone coalesce(b.time_zone, 'UTC'), b.snapshot_time) "
        "else b.snapshot_time end at time zone 'UTC' as valid_from "
        "from {fact} f cross join lateral (select batch from {batch_table} where table_name = {name} "
        "and first_record_id <= f.{record} order by first_record_id desc limit 1) t "
        "join {batch} b on b.batch = t.batch) versions) ended"
    ).format(
        columns=_columns(table),
        key=sql.Identifier(table.key),
        record=sql.Identifier(table.record_id),
        fact=places.table(table),
        deletion=places.table(SOURCE_DELETION),
        source=sql.Literal(table.source),
        batch_table=places.own(BATCH_TABLE),
        batch=places.own(BATCH),
        name=sql.Literal(table.name),
    )
