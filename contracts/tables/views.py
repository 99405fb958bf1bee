"""The views of lake and warehouse: current rows, histories and marts, alike in both systems.

What is current, and what a history is, `contracts.tables.current` decides; here stands what is shown of it.
"""

from contracts.tables.lake import HISTORIES
from contracts.tables.marts import MARTS
from contracts.tables.star import FACTS, STAR_TABLES
from contracts.tables.table import Column, StarTable
from contracts.tables.types import BOOLEAN, MOMENT
from contracts.tables.view import View


def subject(table: StarTable) -> str:
    """Return what views call a table: a fact as its source table, a dimension without its prefix.

    Examples
    --------
    >>> subject(STAR_TABLES["fact_purchase_orders"]), subject(STAR_TABLES["dim_staff"])
    ('purchase_order', 'staff')
    """
    return table.source if table in FACTS else table.name.removeprefix("dim_")


def current_name(fact: StarTable) -> str:
    """Return the name of the view of a fact's current rows."""
    return f"current_{subject(fact)}"


def history_name(table: StarTable) -> str:
    """Return the name of the view of a table's versions."""
    return f"history_{subject(table)}"


def _current(fact: StarTable) -> View:
    return View(
        current_name(fact),
        f"The newest version of every {subject(fact).replace('_', ' ')} that is not deleted.",
        fact.columns,
        lambda rule: rule.current(fact),
    )


_VALIDITY = (
    Column("valid_from", MOMENT, "When the version began, UTC."),
    Column(
        "valid_to",
        MOMENT,
        "When the next version began or the row was found deleted, UTC; NULL while it holds.",
        nullable=True,
    ),
    Column("is_current", BOOLEAN, "Whether it holds."),
)


def _history(table: StarTable) -> View:
    return View(
        history_name(table),
        f"Every version of every {subject(table).replace('_', ' ')}, and from when to when it held.",
        (*table.columns, *_VALIDITY),
        lambda rule: rule.history(table),
    )


#: Every view by name: current rows, histories, marts.
VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        *(_current(fact) for fact in FACTS),
        *(_history(fact) for fact in FACTS),
        *(_history(STAR_TABLES[name]) for name in HISTORIES),
        *MARTS,
    )
}
