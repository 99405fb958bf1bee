"""The warehouse's tables and views as SQL, derived from the contract."""

from psycopg import sql

from contracts.star import FACTS, SOURCE_DELETION, STAR_TABLES
from contracts.table import StarTable


def create_ledger(ledger: str) -> list[sql.Composed]:
    """Return the statements that create the ledger: which batches were loaded, and what each brought."""
    return [
        sql.SQL("create schema if not exists {}").format(sql.Identifier(ledger)),
        sql.SQL(
            "create table if not exists {} (batch integer primary key, snapshot_time timestamptz not null, "
            "published_at timestamptz not null, loaded_at timestamptz not null default clock_timestamp())"
        ).format(sql.Identifier(ledger, "batch")),
        sql.SQL(
            "create table if not exists {} (batch integer not null references {} (batch), table_name varchar not null, "
            "inserted bigint not null, updated bigint not null, first_record_id bigint, last_record_id bigint, "
            "primary key (table_name, batch))"
        ).format(sql.Identifier(ledger, "batch_table"), sql.Identifier(ledger, "batch")),
        # A deletion ends the versions of its key up to last_record_id; a later one means that the key came back.
        sql.SQL(
            "create table if not exists {} (source_table varchar not null, source_key integer not null, "
            "batch integer not null references {} (batch), deleted_at timestamp not null, last_record_id bigint not null, "
            "primary key (source_table, source_key, batch))"
        ).format(sql.Identifier(ledger, SOURCE_DELETION.name), sql.Identifier(ledger, "batch")),
    ]


def create_tables(schema: str) -> list[sql.Composed]:
    """Return the statements that create the missing star tables, dimensions first."""
    statements = [sql.SQL("create schema if not exists {}").format(sql.Identifier(schema))]
    for table in STAR_TABLES.values():
        statements.append(_create_table(schema, table))
        if table.record_id:
            statements.append(
                sql.SQL("create index if not exists {} on {} ({}, {} desc)").format(
                    sql.Identifier(f"{table.name}_versions"),
                    sql.Identifier(schema, table.name),
                    sql.Identifier(table.key),
                    sql.Identifier(table.record_id),
                )
            )
    return statements


def create_views(schema: str, ledger: str) -> list[sql.Composed]:
    """Return the statements that create, for each fact, the views of its current state and its history."""
    return [
        view for table in FACTS for view in (_current_view(schema, ledger, table), _history_view(schema, ledger, table))
    ]


def view_names() -> list[str]:
    """Return the names of all views."""
    return [f"{kind}_{table.source}" for table in FACTS for kind in ("current", "history")]


def _create_table(schema: str, table: StarTable) -> sql.Composed:
    lines: list[sql.Composable] = []
    for column in table.columns:
        line = sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type.warehouse))
        if not column.nullable:
            line += sql.SQL(" not null")
        if column.references:
            target, _, key = column.references.partition(".")
            line += sql.SQL(" references {} ({})").format(sql.Identifier(schema, target), sql.Identifier(key))
        lines.append(line)
    lines.append(sql.SQL("primary key ({})").format(sql.Identifier(table.primary_key)))
    return sql.SQL("create table if not exists {} ({})").format(
        sql.Identifier(schema, table.name), sql.SQL(", ").join(lines)
    )


def _columns(table: StarTable) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, table.column_names))


def _current_view(schema: str, ledger: str, table: StarTable) -> sql.Composed:
    return sql.SQL(
        "create or replace view {view} as select {columns} from (select distinct on ({key}) {columns} from {fact} "
        "order by {key}, {record} desc) newest where not exists (select 1 from {deletion} d "
        "where d.source_table = {source} and d.source_key = newest.{key} and d.last_record_id >= newest.{record})"
    ).format(
        view=sql.Identifier(schema, f"current_{table.source}"),
        key=sql.Identifier(table.key),
        columns=_columns(table),
        fact=sql.Identifier(schema, table.name),
        record=sql.Identifier(table.record_id),
        deletion=sql.Identifier(ledger, SOURCE_DELETION.name),
        source=sql.Literal(table.source),
    )


def _history_view(schema: str, ledger: str, table: StarTable) -> sql.Composed:
    # The first version holds from the creation of the row, a later one from the snapshot that saw it: last_updated
    # cannot tell, because silent updates leave it alone. A version ends with the next one, or when its key was deleted.
    return sql.SQL(
        "create or replace view {view} as select {columns}, valid_from, least(next_from, deleted_at) as valid_to, "
        "next_from is null and deleted_at is null as is_current from (select versions.*, "
        "lead(valid_from) over (partition by {key} order by {record}) as next_from, "
        "(select min(d.deleted_at) from {deletion} d where d.source_table = {source} and d.source_key = versions.{key} "
        "and d.last_record_id >= versions.{record}) as deleted_at "
        "from (select f.*, case when row_number() over (partition by f.{key} order by f.{record}) = 1 "
        "then f.created_date + f.created_time else b.snapshot_time at time zone 'UTC' end as valid_from "
        "from {fact} f join {batch_table} t on t.table_name = {name} "
        "and f.{record} between t.first_record_id and t.last_record_id "
        "join {batch} b on b.batch = t.batch) versions) ended"
    ).format(
        view=sql.Identifier(schema, f"history_{table.source}"),
        columns=_columns(table),
        key=sql.Identifier(table.key),
        record=sql.Identifier(table.record_id),
        fact=sql.Identifier(schema, table.name),
        deletion=sql.Identifier(ledger, SOURCE_DELETION.name),
        source=sql.Literal(table.source),
        batch_table=sql.Identifier(ledger, "batch_table"),
        batch=sql.Identifier(ledger, "batch"),
        name=sql.Literal(table.name),
    )
