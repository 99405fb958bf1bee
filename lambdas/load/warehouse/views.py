"""The warehouse's views: current rows, and versions with the time for which they held."""

import hashlib

from psycopg import sql

from contracts.tables.lake import HISTORIES, SOURCE_DELETION
from contracts.tables.star import FACTS
from contracts.tables.table import StarTable
from lambdas.load.warehouse.ddl import Statement
from lambdas.load.warehouse.naming import BATCH, BATCH_TABLE, Places


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
