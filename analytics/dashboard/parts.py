"""What a dashboard is made of: data sets, measures, figures, charts, pages."""

from dataclasses import dataclass
from enum import StrEnum

from contracts.tables.table import Column

CURRENCY, COUNTERPARTY = "currency_code", "counterparty_legal_name"


class Unit(StrEnum):
    """What a figure counts, and so how it is written."""

    MONEY = "money"  #: two decimals and the currency's code
    NUMBER = "number"  #: whole, thousands separated
    SECONDS = "seconds"  #: one decimal and "s"


class Chart(StrEnum):
    """How a visual is drawn."""

    LINE = "line"  #: over time
    BAR = "bar"  #: horizontal, the largest first
    COLUMN = "column"  #: vertical, in the order of the dimension


@dataclass(frozen=True, slots=True)
class DataSet:
    """What visuals ask.

    Attributes
    ----------
    name
        That of the view; `SYNC` has none.
    columns
        Its columns.
    day
        Column by which time is filtered and charted, or "" when it has none.
    """

    name: str
    columns: tuple[Column, ...]
    day: str = ""

    def column(self, name: str) -> Column:
        """Return the column called `name`.

        Raises
        ------
        KeyError
            When the data set has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"data set {self.name} has no column {name}")


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure.

    Attributes
    ----------
    column
        Column that is aggregated.
    label
        What a reader calls it.
    unit
        How it is written.
    explanation
        What is counted, in one sentence: the tooltip.
    aggregate
        ``sum`` or ``max``.
    """

    column: str
    label: str
    unit: Unit
    explanation: str
    aggregate: str = "sum"


@dataclass(frozen=True, slots=True)
class Kpi:
    """One number of a page, compared with the period before the chosen one."""

    id: str
    measure: Measure
    data: DataSet


@dataclass(frozen=True, slots=True)
class Visual:
    """One chart.

    Attributes
    ----------
    id
        Unique in the dashboard; letters and hyphens.
    title
        States what is seen.
    chart, data, measure
        How it is drawn, of what.
    dimension
        Column along the axis.
    split
        Column of the colours, or "".
    top
        How many of the largest are shown; 0 for all.
    order
        Values of the dimension in the order in which they are shown; empty for by size, or by time.
    """

    id: str
    title: str
    chart: Chart
    data: DataSet
    measure: Measure
    dimension: str
    split: str = ""
    top: int = 0
    order: tuple[str, ...] = ()

    @property
    def all_currencies(self) -> bool:
        """Whether it shows each currency for itself, and the choice of one leaves it alone."""
        return self.split == CURRENCY


@dataclass(frozen=True, slots=True)
class Page:
    """One page: a sheet of Quick Sight.

    Attributes
    ----------
    id, title
        In addresses, and for readers.
    says
        What the page is about, in one sentence.
    kpis, visuals
        In reading order.
    filters
        Columns that a reader may choose by, beside the days: of every data set that has them.
    """

    id: str
    title: str
    says: str
    kpis: tuple[Kpi, ...]
    visuals: tuple[Visual, ...]
    filters: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[Kpi | Visual, ...]:
        """All that it shows, in reading order."""
        return (*self.kpis, *self.visuals)
