"""Before a batch commits, the warehouse's current keys must be those that the lake published.

Up to `FULL_CHECK_KEYS` keys a table is counted whole, and so is the calendar: of it those days count that the lake has, and
an owner who prepared more may have had some of them before. Of a larger table, what the batch made current is counted and
added to the figures of the batch before; once a day it is counted whole as well.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from contracts.checksum import mix_sql
from contracts.protocol.publication import Publication, TablePublication
from contracts.tables.lake import SOURCE_DELETION
from contracts.tables.star import DIM_DATE, STAR_TABLES
from contracts.tables.table import Kind, StarTable
from lambdas.errors import ReconciliationError
from lambdas.load.warehouse.naming import BATCH_TABLE, VERIFICATION, Naming
from lambdas.load.warehouse.statements import Ranges, among, current_keys, missing_keys, new_keys, summed

#: A table of so many keys is counted in a fraction of a second.
FULL_CHECK_KEYS = 200_000
#: How many differing keys an error names.
NAMED = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """How many keys, and their checksum."""

    keys: int
    checksum: int

    def __add__(self, other: "Figures") -> "Figures":
        """Return the figures of both together."""
        return Figures(self.keys + other.keys, self.checksum + other.checksum)

    def __str__(self) -> str:
        """Write them as messages do."""
        return f"{self.keys} current keys (checksum {self.checksum})"


class Reconciliation:
    """Of one publication, inside its transaction.

    Parameters
    ----------
    is_first
        Whether the warehouse was empty before.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], naming: Naming, publication: Publication, *, is_first: bool
    ) -> None:
        self._connection = connection
        self._naming = naming
        self._publication = publication
        self._before = {} if is_first else self._figures_before()
        self._is_first = is_first
        self._verified = self._verified_today()
        self._new: dict[str, Figures] = {}

    def count_new_keys(self, table: StarTable, rows: sql.Composable) -> None:
        """Count what the batch makes current, where the whole is not going to be counted.

        Of a dimension it is called before the rows are written, of a fact after.
        """
        if self._is_counted_whole(table):
            return
        first = self._publication.tables[table.name].first_record_id
        self._new[table.name] = self._summed(new_keys(table, self._naming, rows, first))

    def check(self) -> None:
        """Compare every table with the publication.

        Raises
        ------
        ReconciliationError
            Naming table, figures and keys.
        """
        for name, table in STAR_TABLES.items():
            expected = self._publication.tables[name]
            if self._is_counted_whole(table):
                found = self._current(table, expected)
                if table.kind is Kind.FACT:
                    self._check_records(table)
            elif name in self._new:
                found = self._before.get(name, Figures(0, 0)) + self._new[name]
            else:
                continue
            if found != Figures(expected.current_keys, expected.key_checksum):
                raise ReconciliationError(self._message(table, expected, found))
            if self._is_first or self._is_counted_whole(table):  # what an empty table received is the whole
                self._remember(name)

    def _remember(self, name: str) -> None:
        self._connection.execute(
            sql.SQL(
                "insert into {} as v (table_name, batch) values (%s, %s) on conflict (table_name) do update "
                "set batch = excluded.batch, verified_at = clock_timestamp()"
            ).format(self._naming.own(VERIFICATION)),
            (name, self._publication.batch),
        )

    def _is_counted_whole(self, table: StarTable) -> bool:
        expected = self._publication.tables[table.name]
        if table == DIM_DATE or expected.current_keys <= FULL_CHECK_KEYS or expected.deleted:
            return True
        if self._is_first:
            return False
        return table.name not in self._before or table.name not in self._verified

    def _figures_before(self) -> dict[str, Figures]:
        rows = self._connection.execute(
            sql.SQL(
                "select n, t.current_keys, t.key_checksum from unnest(%s::text[]) n cross join lateral (select current_keys, "
                "key_checksum from {} where table_name = n and batch < %s order by batch desc limit 1) t "
                "where t.current_keys is not null"
            ).format(self._naming.own(BATCH_TABLE)),
            (list(STAR_TABLES), self._publication.batch),
        )
        return {name: Figures(int(keys), int(checksum)) for name, keys, checksum in rows}

    def _verified_today(self) -> set[str]:
        rows = self._connection.execute(
            sql.SQL("select table_name from {} where verified_at > clock_timestamp() - interval '1 day'").format(
                self._naming.own(VERIFICATION)
            )
        )
        return {name for (name,) in rows}

    def _current(self, table: StarTable, expected: TablePublication) -> Figures:
        return self._summed(current_keys(table, self._naming, self._known(table, expected)))

    def _known(self, table: StarTable, expected: TablePublication) -> Ranges:
        """Return the ranges in which the lake has keys of a table; of its calendar, exactly its days."""
        if table == DIM_DATE and self._publication.calendar is not None:
            return self._publication.calendar
        return ((expected.lowest_key, expected.highest_key),) if expected.lowest_key <= expected.highest_key else ()

    def _summed(self, keys: sql.Composed) -> Figures:
        row = self._connection.execute(sql.SQL("select {} from ({}) k").format(summed("k"), keys)).fetchone()
        return Figures(int(row[0]), int(row[1])) if row else Figures(0, 0)

    def _check_records(self, table: StarTable) -> None:
        """Compare a fact's records with the ledger: a lost older version does not change what is current."""
        naming = {
            "batch_table": self._naming.own(BATCH_TABLE),
            "fact": self._naming.table(table),
            "record": sql.Identifier(table.record_id),
            "name": sql.Literal(table.name),
        }
        row = self._connection.execute(
            sql.SQL(
                "select (select count(*) from {fact}), "
                "(select coalesce(sum(inserted + updated), 0) from {batch_table} where table_name = {name})"
            ).format(**naming)
        ).fetchone()
        if row is None or row[0] == row[1]:
            return
        batches = self._connection.execute(
            sql.SQL(
                "select t.batch, t.inserted + t.updated, f.records from {batch_table} t cross join lateral "
                "(select count(*) as records from {fact} where {record} between t.first_record_id and t.last_record_id) f "
                "where t.table_name = {name} and t.inserted + t.updated > 0 and t.inserted + t.updated <> f.records "
                "order by t.batch limit {limit}"
            ).format(**naming, limit=sql.Literal(NAMED))
        ).fetchall()
        named = ", ".join(f"batch {batch} has {found} of {expected}" for batch, expected, found in batches)
        raise ReconciliationError(
            f"Batch {self._publication.batch}, table {self._naming.name(table)}: it holds {row[0]} records, and the batches "
            f"loaded {row[1]}: {named or 'some belong to no batch'}. Somebody else has written to the table. Rolled back; "
            f"rebuild the warehouse."
        )

    def _message(self, table: StarTable, expected: TablePublication, found: Figures) -> str:
        return (
            f"Batch {self._publication.batch}, table {self._naming.name(table)}: the warehouse would show {found}, the lake "
            f"published {Figures(expected.current_keys, expected.key_checksum)}. {self._differing(table, expected)}Rolled back. "
            f"If somebody else has written to the table, rebuild the warehouse; it takes everything from the lake."
        )

    def _differing(self, table: StarTable, expected: TablePublication) -> str:
        known = self._known(table, expected)
        current = current_keys(table, self._naming, known)
        deleted = sql.SQL("select source_key from {} where source_table = {}").format(
            self._naming.table(SOURCE_DELETION), sql.Literal(table.source)
        )
        found = self._current(table, expected)
        present = sql.SQL("{} union all {}").format(current, deleted)
        missing = self._keys(missing_keys(known, present, NAMED + 1)) if known else []
        outside = self._keys(sql.SQL("select key from ({}) k where not {}").format(current, among(known)))
        surplus = found.keys - len(outside) - expected.current_keys
        if not outside and surplus == 1 and not missing:
            outside = self._keys(
                sql.SQL("select key from ({}) k where {} = {}").format(
                    current, sql.SQL(mix_sql("key")), sql.Literal(found.checksum - expected.key_checksum)
                )
            )
        text = ""
        if missing:
            exact = len(missing) == expected.current_keys - (found.keys - len(outside)) and len(missing) <= NAMED
            text += f"{'Missing' if exact else 'Missing, or never used'}: {self._listed(table, missing)}. "
        if outside:
            text += f"Unknown to the lake: {self._listed(table, outside)}. "
        return text

    def _keys(self, query: sql.Composed) -> list[int]:
        rows = self._connection.execute(
            sql.SQL("select key from ({}) q order by key limit {}").format(query, sql.Literal(NAMED + 1))
        )
        return [int(value) for (value,) in rows]

    @staticmethod
    def _listed(table: StarTable, keys: list[int]) -> str:
        suffix = " (days since 1970)" if table == DIM_DATE else ""
        return ", ".join(map(str, keys[:NAMED])) + (" …" if len(keys) > NAMED else "") + suffix
