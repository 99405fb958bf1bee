"""The days of a calendar as ranges: days since 1970, ends included, in order, neither touching nor overlapping."""

from collections.abc import Iterable
from datetime import date

Ranges = tuple[tuple[int, ...], ...]

_EPOCH = date(1970, 1, 1).toordinal()


def days_of(year: int) -> tuple[int, int]:
    """Return the first and the last day of a year from 1 to 9999."""
    return date(year, 1, 1).toordinal() - _EPOCH, date(year, 12, 31).toordinal() - _EPOCH


def merged(ranges: Iterable[tuple[int, ...]]) -> Ranges:
    """Return the fewest ranges that have the same days."""
    found: list[tuple[int, ...]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def lacking(calendar: Ranges, years: Iterable[int]) -> list[int]:
    """Return the years, in order, that a calendar does not have from their first to their last day."""
    return [
        year
        for year in sorted(set(years))
        if not any(first <= days_of(year)[0] and days_of(year)[1] <= last for first, last in calendar)
    ]
