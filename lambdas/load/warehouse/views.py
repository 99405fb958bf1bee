"""The warehouse's views: the contract's, in PostgreSQL's words."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from contracts.tables.current import TableSql
from contracts.tables.table import Kind, StarTable
from contracts.tables.views import VIEWS
from lambdas.load.warehouse.naming import BATCH, BATCH_TABLE, Naming


@dataclass(frozen=True, slots=True)
class WarehouseSql(TableSql):
    """The rule of what is current, as the warehouse is told it: a deletion names the last record that it has ended."""

    naming: Naming

    def name(self, table: StarTable) -> str:
        """Return a table's name, quoted."""
        return self.naming.table(table).as_string(None)

    def days(self, later: str, earlier: str) -> str:
        """Return how many days there are from one date to another, as an integer."""
        return f"({later} - {earlier})"

    @property
    def today(self) -> str:
        """The day that it is in UTC."""
        return "(now() at time zone 'UTC')::date"

    def _ended(self, table: StarTable, alias: str) -> str:
        return f" and d.last_record_id >= {alias}.{table.record_id}" if table.kind is Kind.FACT else ""

    def _newest(self, table: StarTable, columns: str) -> str:
        key, record = table.key, table.record_id
        return (
            f"select {columns} from {self.name(table)} f where not exists (select from {self.name(table)} n "
            f"where n.{key} = f.{key} and n.{record} > f.{record})"
        )

    def _moments(self, table: StarTable) -> str:
        batch, batch_table = (self.naming.own(name).as_string(None) for name in (BATCH, BATCH_TABLE))
        return (
            f"select {self._all(table)}, b.snapshot_time at time zone 'UTC' as snapshot_time, (f.created_date + f.created_time) "
            "at time zone coalesce(b.time_zone, 'UTC') at time zone 'UTC' as created_at "
            f"from {self.name(table)} f cross join lateral (select batch from {batch_table} "
            f"where table_name = '{table.name}' and first_record_id <= f.{table.record_id} "
            f"order by first_record_id desc limit 1) t join {batch} b on b.batch = t.batch"
        )


def views(naming: Naming) -> dict[str, sql.SQL]:
    """Return, for each view, its name and its query."""
    rule = WarehouseSql(naming)
    return {name: sql.SQL(view.query(rule)) for name, view in VIEWS.items()}


def comments(name: str, view: sql.Identifier, query: str) -> Iterator[sql.Composed]:
    """Yield the statements that say what a view and its columns are."""
    text = f"{VIEWS[name].description} Made by the totesys data platform ({digest(name, query)})."
    yield sql.SQL("comment on view {} is {}").format(view, sql.Literal(text))
    for column in VIEWS[name].columns:
        yield sql.SQL("comment on column {}.{} is {}").format(
            view, sql.Identifier(column.name), sql.Literal(column.description)
        )


def digest(name: str, query: str) -> str:
    """Return what tells one definition of a view from another; it stands in the view's comment."""
    view = VIEWS[name]
    said = [view.description, *(f"{column.name} {column.description}" for column in view.columns)]
    return hashlib.sha256("\n".join([query, *said]).encode()).hexdigest()[:16]
