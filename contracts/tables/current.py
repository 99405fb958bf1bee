"""What is current of a table, and what its history is: decided here, as SQL for whoever reads lake and warehouse.

A fact keeps every version of its rows; a version that a deletion has ended is not current. A dimension keeps the rows of
deleted keys, because versions of facts refer to them. The two systems tell in different columns which versions a deletion
has ended: the lake by the batch that found it, the warehouse by the last record that was loaded before it.

The job, which needs it of a few keys and as of an earlier batch, has the lake's rule as a Spark frame: `newest_versions`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.tables.lake import HISTORIES, SOURCE_DELETION
from contracts.tables.table import Kind, StarTable


class HistoryError(ValueError):
    """A table keeps no history."""


class TableSql(ABC):
    """The rule in the words of one system. What it returns is text of our own, identifiers quoted where they must be."""

    @abstractmethod
    def name(self, table: StarTable) -> str:
        """Return a table's name."""

    @abstractmethod
    def _ended(self, table: StarTable, alias: str) -> str:
        """Return the condition, beside equal keys, that the deletion ``d`` has ended the version `alias`, or ""."""

    @abstractmethod
    def _newest(self, table: StarTable, columns: str) -> str:
        """Return the query of the newest version of every key of a fact."""

    @abstractmethod
    def _moments(self, table: StarTable) -> str:
        """Return the query of a fact's versions as ``f``, with ``snapshot_time`` and ``created_at`` in UTC."""

    @abstractmethod
    def days(self, later: str, earlier: str) -> str:
        """Return how many days there are from one date to another, as an integer."""

    @property
    @abstractmethod
    def today(self) -> str:
        """The day that it is in UTC."""

    def not_deleted(self, table: StarTable, alias: str) -> str:
        """Return the condition that no deletion has ended a row; a day of the calendar has nothing to be deleted with."""
        if not table.source:
            return "true"
        return f"not exists ({self._deletions(table, alias, '1')})"

    def current(self, table: StarTable, columns: Sequence[str] = ()) -> str:
        """Return the query of a table's current rows.

        Parameters
        ----------
        columns
            Those that are wanted; the table's own by default.
        """
        wanted = ", ".join(columns or table.column_names)
        is_fact = table.kind is Kind.FACT
        rows = f"({self._newest(table, self._needed(table, columns))})" if is_fact else self.name(table)
        return f"select {wanted} from {rows} v where {self.not_deleted(table, 'v')}"

    def history(self, table: StarTable) -> str:
        """Return the query of every version of a table's rows, with ``valid_from``, ``valid_to`` and ``is_current``, UTC.

        The first version holds from the creation of the row, and never from later than the snapshot that saw it; a later one
        from its snapshot: ``last_updated`` cannot tell, because silent updates leave it alone. A version ends with the next
        one, or when its key was deleted.

        Raises
        ------
        HistoryError
            When the table keeps none.
        """
        if table.name in HISTORIES:
            kept = HISTORIES[table.name]
            return f"select {', '.join(kept.column_names)} from {self.name(kept)}"
        if table.kind is not Kind.FACT:
            raise HistoryError(f"table {table.name} keeps no history; those that do: {', '.join(sorted(HISTORIES))}")
        key, record, columns = table.key, table.record_id, ", ".join(table.column_names)
        deleted = self._deletions(table, "versions", "min(d.deleted_at)")
        return (
            f"select {columns}, valid_from, "
            f"case when deleted_at < next_from or next_from is null then deleted_at else next_from end as valid_to, "
            f"next_from is null and deleted_at is null as is_current from (select versions.*, "
            f"lead(valid_from) over (partition by {key} order by {record}) as next_from, ({deleted}) as deleted_at "
            f"from (select f.*, case when row_number() over (partition by f.{key} order by f.{record}) = 1 "
            f"and f.created_at < f.snapshot_time then f.created_at else f.snapshot_time end as valid_from "
            f"from ({self._moments(table)}) f) versions) ended"
        )

    def _deletions(self, table: StarTable, alias: str, what: str) -> str:
        """Return the query of `what` of the deletions ``d`` that have ended the version `alias`."""
        return (
            f"select {what} from {self.name(SOURCE_DELETION)} d where d.source_table = '{table.source}' "
            f"and d.source_key = {alias}.{table.key}{self._ended(table, alias)}"
        )

    def _needed(self, table: StarTable, columns: Sequence[str]) -> str:
        """Return the wanted columns, and those by which deletions are told."""
        wanted = [*(columns or table.column_names)]
        return ", ".join([*wanted, *(c for c in self._keys(table) if c not in wanted)])

    def _keys(self, table: StarTable) -> Sequence[str]:
        return (table.key, table.record_id)

    def _all(self, table: StarTable) -> str:
        """Return the columns that a history is made of, of ``f``. A view over ``f.*`` would keep columns from being dropped."""
        wanted = dict.fromkeys((*table.column_names, *self._keys(table)))
        return ", ".join(f"f.{name}" for name in wanted)


@dataclass(frozen=True, slots=True)
class LakeSql(TableSql):
    """The rule as Athena is told it.

    Attributes
    ----------
    database
        Of the lake; "" where queries run in it.
    raw_database
        Of the log, whose table ``batch`` has the moments of the snapshots; only histories need it.
    """

    database: str = ""
    raw_database: str = ""

    def name(self, table: StarTable) -> str:
        """Return a table's name."""
        return f"{self.database}.{table.name}" if self.database else table.name

    def days(self, later: str, earlier: str) -> str:
        """Return how many days there are from one date to another, as an integer."""
        return f"cast(date_diff('day', {earlier}, {later}) as integer)"

    @property
    def today(self) -> str:
        """The day that it is in UTC: Athena's sessions know no other zone."""
        return "current_date"

    def _ended(self, table: StarTable, alias: str) -> str:
        return f" and d.batch_id >= {alias}.batch_id"

    def _keys(self, table: StarTable) -> Sequence[str]:
        return (table.key, "batch_id")

    def _newest(self, table: StarTable, columns: str) -> str:
        return (
            f"select {columns} from (select {self._all(table)}, row_number() over (partition by {table.key} "
            f"order by {table.record_id} desc) as version_age from {self.name(table)} f) a where version_age = 1"
        )

    def _moments(self, table: StarTable) -> str:
        written = "cast(cast(f.created_date as varchar) || ' ' || f.created_time as timestamp(6))"
        zone = "coalesce(nullif(b.time_zone, ''), 'UTC')"
        return (
            f"select {self._all(table)}, {stored_moment('b.snapshot_time')} as snapshot_time, "
            f"cast(at_timezone(with_timezone({written}, {zone}), 'UTC') as timestamp(6)) as created_at "
            f"from {self.name(table)} f join {self.raw_database}.batch b on b.batch = f.batch_id"
        )


def stored_moment(text: str) -> str:
    """Return Athena's SQL of the moment, UTC, that a document has as text: NULL where the text is empty."""
    return f"cast(replace(substr(nullif({text}, ''), 1, 26), 'T', ' ') as timestamp(6))"
