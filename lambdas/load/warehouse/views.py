"""The warehouse's views: current rows, and versions with the time for which they held."""

import hashlib
from dataclasses import dataclass

from psycopg import sql

from contracts.tables.current import TableSql
from contracts.tables.lake import HISTORIES
from contracts.tables.star import FACTS, STAR_TABLES
from contracts.tables.table import Kind, StarTable
from lambdas.load.warehouse.naming import BATCH, BATCH_TABLE, Naming


@dataclass(frozen=True, slots=True)
class WarehouseSql(TableSql):
    """The rule of what is current, as the warehouse is told it: a deletion names the last record that it has ended."""

    naming: Naming

    def name(self, table: StarTable) -> str:
        """Return a table's name, quoted."""
        return self.naming.table(table).as_string(None)

    def _ended(self, table: StarTable, alias: str) -> str:
        return f" and d.last_record_id >= {alias}.{table.record_id}" if table.kind is Kind.FACT else ""

    def _newest(self, table: StarTable, columns: str) -> str:
        return (
            f"select distinct on ({table.key}) {columns} from {self.name(table)} "
            f"order by {table.key}, {table.record_id} desc"
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
    rule, found = WarehouseSql(naming), {}
    for fact in FACTS:
        found[f"current_{fact.source}"] = sql.SQL(rule.current(fact))
        found[f"history_{fact.source}"] = sql.SQL(rule.history(fact))
    for name in HISTORIES:
        found[f"history_{name.removeprefix('dim_')}"] = sql.SQL(rule.history(STAR_TABLES[name]))
    return found


def digest(query: str) -> str:
    """Return what tells one definition of a view from another; it stands in the view's comment."""
    return hashlib.sha256(query.encode()).hexdigest()[:16]
