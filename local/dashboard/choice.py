"""What a reader chooses, and what follows from it for days."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from analytics.dashboard.description import FIRST_CURRENCY


@dataclass(frozen=True, slots=True)
class Period:
    """A choice of days: the last `days` up to the newest day in the data, or all of them."""

    label: str
    days: int | None = None


ALL = Period("All")
PERIODS = (ALL, Period("12 months", 365), Period("90 days", 90), Period("30 days", 30))


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen.

    Attributes
    ----------
    counterparties
        Legal names; empty for all of them.
    """

    period: Period = ALL
    currency: str = FIRST_CURRENCY
    counterparties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Days:
    """Days from `first` to `last`, ends included."""

    first: date
    last: date

    @property
    def number(self) -> int:
        """How many there are."""
        return (self.last - self.first).days + 1


def chosen(period: Period, there_are: Days) -> Days:
    """Return the days of a period, of a data set that has some days."""
    if period.days is None:
        return there_are
    return Days(there_are.last - timedelta(days=period.days - 1), there_are.last)


def before(period: Period, there_are: Days) -> Days | None:
    """Return the equally long period before, or None when the data set does not reach back that far."""
    if period.days is None:
        return None
    last = there_are.last - timedelta(days=period.days)
    first = last - timedelta(days=period.days - 1)
    return Days(first, last) if first >= there_are.first else None


class Grain(StrEnum):
    """What one point of a chart over time stands for."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def grain(days: Days) -> Grain:
    """Return the grain that shows some days well."""
    if days.number <= 31:
        return Grain.DAY
    return Grain.WEEK if days.number <= 120 else Grain.MONTH


def is_whole(first: date, of: Grain, shown: Days, there_are: Days) -> bool:
    """Tell whether a day, week or month that begins at `first` is shown from its beginning to its end.

    What lies before the data began is not missing.
    """
    if of is Grain.DAY:
        return True
    following = first + timedelta(days=7) if of is Grain.WEEK else (first + timedelta(days=32)).replace(day=1)
    return (first >= shown.first or shown.first <= there_are.first) and following - timedelta(days=1) <= shown.last
