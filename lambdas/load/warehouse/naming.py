"""Where in a warehouse the platform's tables and views stand, as SQL identifiers."""

from dataclasses import dataclass

from psycopg import sql

from contracts.tables.lake import HISTORIES, SOURCE_DELETION
from contracts.tables.ledger import BATCH as BATCH
from contracts.tables.ledger import BATCH_TABLE as BATCH_TABLE
from contracts.tables.star import FACT_PURCHASE_ORDERS
from contracts.tables.table import StarTable

#: Further tables of the ledger's schema: whose it is, how it was made, and how far checks, rebuilds and loads have come.
OWNER, MIGRATION, VERIFICATION, REBUILD_FILE, STAR_COLUMN, STAGED_FILE = (
    "owner",
    "migration",
    "verification",
    "rebuild_file",
    "star_column",
    "staged_file",
)
#: What the ledger's schema has of the lake's tables.
BESIDE = {SOURCE_DELETION.name, *(table.name for table in HISTORIES.values())}


@dataclass(frozen=True, slots=True)
class Naming:
    """Names that differ between warehouses.

    Attributes
    ----------
    schema, ledger
        Schemas of the star tables, and of the platform's own tables.
    purchase_orders
        What the table of purchase orders is called.
    """

    schema: str
    ledger: str
    purchase_orders: str = FACT_PURCHASE_ORDERS.name

    def name(self, table: StarTable) -> str:
        """Return a star table's name."""
        return self.purchase_orders if table == FACT_PURCHASE_ORDERS else table.name

    def table(self, table: StarTable) -> sql.Identifier:
        """Return a star table, or one that the lake keeps beside them."""
        if table.name in BESIDE:
            return self.own(table.name)
        return sql.Identifier(self.schema, self.name(table))

    def own(self, name: str) -> sql.Identifier:
        """Return a table of the ledger's schema."""
        return sql.Identifier(self.ledger, name)

    def rebuilt(self, table: StarTable) -> sql.Identifier:
        """Return the table that a rebuild fills before its content takes the place of the live one's."""
        return self.own(f"rebuild_{table.name}")

    def staged(self, table: StarTable) -> sql.Identifier:
        """Return the table that a load in pieces fills before its rows come into the live one."""
        return self.own(f"staged_{table.name}")
