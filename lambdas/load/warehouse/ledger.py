"""Gateway to the ledger: which publications the warehouse shows, and whose they are."""

from typing import Any

import psycopg
from psycopg import sql

from contracts.protocol.publication import Publication
from contracts.tables.star import FACTS, STAR_TABLES
from lambdas.load.custody import Custody, Entry, Owner
from lambdas.load.warehouse.naming import BATCH, BATCH_TABLE, OWNER, Naming
from lambdas.load.warehouse.statements import names

_BATCH_COLUMNS = ("batch", "snapshot_time", "published_at", "publication_digest", "lake", "time_zone")
_TABLE_COLUMNS = (
    *("batch", "table_name", "inserted", "updated", "deleted", "current_keys", "key_checksum"),
    *("first_record_id", "last_record_id"),
)


class Ledger:
    """The platform's own tables in the warehouse. Every method is called inside a transaction."""

    def __init__(self, connection: psycopg.Connection[Any], naming: Naming) -> None:
        self._connection = connection
        self._naming = naming
        self._zones: dict[str, str | None] = {"": None}

    def custody(self) -> Custody:
        """Return whose the ledger is, and its newest batch."""
        row = self._connection.execute(
            sql.SQL("select lake, lake_bucket, star_schema from {}").format(self._naming.own(OWNER))
        ).fetchone()
        newest = self._entry(sql.SQL("order by b.batch desc limit 1"), self._naming.own(BATCH))
        return Custody(self._naming.ledger, Owner(*row) if row else None, newest)

    def entry(self, batch: int) -> Entry | None:
        """Return what the ledger has of one batch."""
        return self._entry(sql.SQL("where b.batch = {}").format(sql.Literal(batch)), self._naming.own(BATCH))

    def newest_in(self, table: sql.Identifier) -> Entry | None:
        """Return the newest batch in a table like that of the ledger."""
        return self._entry(sql.SQL("order by b.batch desc limit 1"), table)

    def filled_facts(self) -> list[str]:
        """Return the names of the facts that have rows."""
        query = sql.SQL("select exists (select from {})")
        found = {
            self._naming.name(fact): self._connection.execute(query.format(self._naming.table(fact))).fetchone()
            for fact in FACTS
        }
        return [name for name, row in found.items() if row and row[0]]

    def bind(self, owner: Owner) -> None:
        """Make the ledger this lake's; nobody's, when the lake has no name."""
        table = self._naming.own(OWNER)
        self._connection.execute(sql.SQL("delete from {}").format(table))
        if owner.lake:
            self._connection.execute(
                sql.SQL("insert into {} (lake, lake_bucket, star_schema) values (%s, %s, %s)").format(table),
                (owner.lake, owner.bucket, owner.star_schema),
            )

    def record(
        self,
        publication: Publication,
        batch: sql.Identifier | None = None,
        batch_table: sql.Identifier | None = None,
    ) -> None:
        """Write a batch into the ledger, or into tables like those of the ledger."""
        self._insert(
            batch or self._naming.own(BATCH),
            _BATCH_COLUMNS,
            (
                *(publication.batch, publication.snapshot_time, publication.published_at, publication.digest),
                *(publication.lake or None, self._zone(publication.time_zone)),
            ),
        )
        for name, star in STAR_TABLES.items():
            table = publication.tables[name]
            if not (table.rows or table.deleted):
                continue
            has_records = star.record_id and table.rows
            ids = (table.first_record_id, table.last_record_id) if has_records else (None, None)
            figures = (table.inserted, table.updated, table.deleted, table.current_keys, table.key_checksum)
            self._insert(
                batch_table or self._naming.own(BATCH_TABLE), _TABLE_COLUMNS, (publication.batch, name, *figures, *ids)
            )

    def _insert(self, table: sql.Identifier, columns: tuple[str, ...], values: tuple[Any, ...]) -> None:
        self._connection.execute(
            sql.SQL("insert into {} ({}) values ({})").format(
                table, names(columns), sql.SQL(", ").join(sql.Placeholder() * len(columns))
            ),
            values,
        )

    def _entry(self, which: sql.Composable, table: sql.Identifier) -> Entry | None:
        row = self._connection.execute(
            sql.SQL("select b.batch, b.snapshot_time, b.published_at, b.publication_digest from {} b {}").format(
                table, which
            )
        ).fetchone()
        return Entry(*row) if row else None

    def _zone(self, name: str) -> str | None:
        """Return a zone as this server calls it; None for one that it does not know, which a view would fail on."""
        if name not in self._zones:
            row = self._connection.execute(
                "select name from pg_timezone_names where lower(name) = lower(%s) limit 1", (name,)
            ).fetchone()
            self._zones[name] = str(row[0]) if row else None
        return self._zones[name]
