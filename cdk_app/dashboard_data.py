"""What the dashboard is about: the three stars, each as one data set."""

from dataclasses import dataclass

from contracts.tables.current import LakeSql
from contracts.tables.star import FACT_PAYMENT, FACT_PURCHASE_ORDERS, FACT_SALES_ORDER, STAR_TABLES
from contracts.tables.table import Column, StarTable


@dataclass(frozen=True, slots=True)
class Star:
    """One star as the dashboard shows it.

    Attributes
    ----------
    name, fact
        Title, and the fact table.
    amount
        SQL of the money column, over the alias ``f``.
    joins
        Dimension table → (column of the fact, column by which it is shown first).
    """

    name: str
    fact: StarTable
    amount: str
    joins: dict[str, tuple[str, str]]

    def columns(self) -> list[tuple[str, str]]:
        """Return name and Quick Sight type of the data set's columns: all of the fact and of its dimensions, none personal."""
        return [
            *[(column.name, column.type.quicksight) for column in self.fact.content_columns],
            ("amount", "DECIMAL"),
            *[(column.name, column.type.quicksight) for _, column in self._joined()],
        ]

    def first(self) -> str:
        """Return the column of the first dimension."""
        return next(iter(self.joins.values()))[1]

    def sql(self, database: str) -> str:
        """Return the query of the data set: the current rows of the fact with what they refer to."""
        joins = " ".join(
            f"JOIN {database}.{table} AS {table} ON {table}.{STAR_TABLES[table].key} = f.{key}"
            for table, (key, _) in self.joins.items()
        )
        own = ", ".join(f"f.{column.name}" for column in self.fact.content_columns)
        shown = ", ".join(f"{table}.{column.name}" for table, column in self._joined())
        current = LakeSql(database).current(self.fact)
        return f"SELECT {own}, {self.amount} AS amount, {shown} FROM ({current}) AS f {joins}"

    def _joined(self) -> list[tuple[str, Column]]:
        own = {column.name for column in self.fact.columns}
        return [
            (name, column)
            for name in self.joins
            for column in STAR_TABLES[name].columns
            if not column.personal and column.name not in own
        ]


_PARTY = {
    "dim_counterparty": ("counterparty_id", "counterparty_legal_name"),
    "dim_currency": ("currency_id", "currency_code"),
}
STARS = (
    Star(
        "Sales", FACT_SALES_ORDER, "f.units_sold * f.unit_price", {"dim_design": ("design_id", "design_name"), **_PARTY}
    ),
    Star(
        "Purchases",
        FACT_PURCHASE_ORDERS,
        "f.item_quantity * f.item_unit_price",
        {"dim_staff": ("staff_id", "department_name"), **_PARTY},
    ),
    Star(
        "Payments",
        FACT_PAYMENT,
        "f.payment_amount",
        {"dim_payment_type": ("payment_type_id", "payment_type_name"), **_PARTY},
    ),
)
