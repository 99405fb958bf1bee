"""What a page shows of the warehouse, as the renderers take it."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from analytics.dashboard.parts import Kpi, Page, Visual
from local.dashboard.choice import Choice, Days, Grain


@dataclass(frozen=True, slots=True)
class Newest:
    """What tells one state of the warehouse from another: its newest batch, and the day by which payments are overdue."""

    batch: int
    loaded_at: datetime
    today: date


@dataclass(frozen=True, slots=True)
class KpiFigure:
    """One number of a page, the number before it, and its currency or ""."""

    kpi: Kpi
    value: Decimal | int | None
    before: Decimal | int | None
    currency: str


@dataclass(frozen=True, slots=True)
class Point:
    """One mark of a chart.

    Attributes
    ----------
    dimension
        A text, a number, or the first day of a `Grain`.
    split
        Value of the column of the colours, or "".
    whole
        Whether it counts a whole day, week or month.
    """

    dimension: Any
    split: str
    value: Decimal | int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class VisualFigures:
    """What one chart shows.

    Attributes
    ----------
    points
        In the order in which they are shown.
    currency
        Of money that is not split by currency, or "".
    currencies
        All that the page has; their colours follow from them.
    grain, shown
        Of charts over time.
    """

    visual: Visual
    points: tuple[Point, ...]
    currency: str = ""
    currencies: tuple[str, ...] = ()
    grain: Grain = Grain.MONTH
    shown: Days | None = None

    @property
    def title(self) -> str:
        """The description's, which speaks of months, with the grain that is shown."""
        return self.visual.title.replace("month", self.grain.value)


@dataclass(frozen=True, slots=True)
class Options:
    """What there is to choose from."""

    currencies: tuple[str, ...]
    counterparties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageFigures:
    """Everything that a page shows of the warehouse, all of one moment."""

    page: Page
    choice: Choice
    kpis: tuple[KpiFigure, ...]
    visuals: tuple[VisualFigures, ...]
