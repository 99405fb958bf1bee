"""The calendar of AWS: ``cron(minutes hours day-of-month month day-of-week year)``."""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


class ExpressionError(ValueError):
    """When a schedule fires is not to be understood."""


@dataclass(frozen=True, slots=True)
class Cron:
    """When a schedule fires, on the clocks of a time zone.

    Attributes
    ----------
    minutes, hours, days, months, weekdays, years
        Allowed values, ascending. The week begins with Sunday, which is 1.
    zone
        Whose clocks are meant.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    years: tuple[int, ...]
    zone: ZoneInfo

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first moment after `moment`, in UTC, or None when there is none.

        A time that the clocks skip in spring does not fire; one that they show twice in autumn fires the first time.
        """
        for day in self._days_from(moment.astimezone(self.zone).date()):
            for hour in self.hours:
                for minute in self.minutes:
                    shown = datetime.combine(day, time(hour, minute))
                    found = shown.replace(tzinfo=self.zone).astimezone(UTC)
                    if found > moment and found.astimezone(self.zone).replace(tzinfo=None) == shown:
                        return found
        return None

    def _days_from(self, first: date) -> Iterator[date]:
        for year in (year for year in self.years if year >= first.year):
            for month in self.months:
                for number in self.days[: _length(self.days, year, month)]:
                    day = date(year, month, number)
                    if day >= first and day.isoweekday() % 7 + 1 in self.weekdays:
                        yield day


def parse_cron(fields: str, zone: ZoneInfo) -> Cron:
    """Read the six fields of an expression.

    Raises
    ------
    ExpressionError
        Naming the field.
    """
    parts = fields.split()
    if len(parts) != 6:
        raise ExpressionError(
            f"cron({fields}) has {len(parts)} fields, expected 6: minutes hours day month weekday year"
        )
    minutes, hours, days, months, weekdays, years = parts
    if (days == "?") == (weekdays == "?"):
        raise ExpressionError(f"cron({fields}): exactly one of day of month and day of week must be ?")
    return Cron(
        _values("minutes", minutes, range(60)),
        _values("hours", hours, range(24)),
        _values("day of month", days.replace("?", "*"), range(1, 32)),
        _values("month", _numbered(months, _MONTHS), range(1, 13)),
        _values("day of week", _numbered(weekdays.replace("?", "*"), _DAYS), range(1, 8)),
        _values("year", years, range(1970, 2200)),
        zone,
    )


def _length(days: tuple[int, ...], year: int, month: int) -> int:
    """Return how many of `days` a month has."""
    return sum(day <= calendar.monthrange(year, month)[1] for day in days)


def _numbered(field: str, names: list[str]) -> str:
    return re.sub(
        r"[A-Z]{3}", lambda found: str(names.index(found[0]) + 1) if found[0] in names else found[0], field.upper()
    )


def _values(name: str, field: str, allowed: range) -> tuple[int, ...]:
    return tuple(sorted({value for part in field.split(",") for value in _part(name, part, allowed)}))


def _part(name: str, part: str, allowed: range) -> range:
    """Read ``*``, ``3``, ``3-9``, and any of them with a step: ``*/5``, ``3/5``, ``3-9/2``."""
    if re.search(r"[LW#]", part):
        raise ExpressionError(f"{name} {part!r}: the local scheduler does not know L, W and #")
    found = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
    if not found:
        raise ExpressionError(f"{name} {part!r} is not understood")
    first, last, step = (int(text) if text else None for text in found.groups())
    if step == 0:
        raise ExpressionError(f"{name} {part!r}: a step is 1 or more")
    begin = allowed[0] if first is None else first
    end = last if last is not None else (begin if first is not None and step is None else allowed[-1])
    if begin not in allowed or end not in allowed or end < begin:
        raise ExpressionError(f"{name} {part!r} is not within {allowed[0]} to {allowed[-1]}")
    return range(begin, end + 1, step or 1)
