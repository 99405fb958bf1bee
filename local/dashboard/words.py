"""How figures, days and moments are written: the same on the page, in the file and in tables."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from analytics.dashboard.parts import Unit

Number = int | float | Decimal

NOTHING = "–"


def figure(value: Number | None, unit: Unit, currency: str = "") -> str:
    """Write a figure with its unit and thousands separators.

    Examples
    --------
    >>> figure(Decimal("1234567.5"), Unit.MONEY, "GBP"), figure(1234, Unit.NUMBER), figure(1.25, Unit.SECONDS)
    ('1,234,567.50 GBP', '1,234', '1.2 s')
    """
    if value is None:
        return NOTHING
    if unit is Unit.MONEY:
        return f"{value:,.2f} {currency}".rstrip()
    return f"{value:,.1f} s" if unit is Unit.SECONDS else f"{value:,.0f}"


def change(value: Number | None, before: Number | None) -> str | None:
    """Write how a figure differs from the one before, in percent; None where there is nothing to compare with.

    Examples
    --------
    >>> change(110, 100), change(90, 100), change(1, 0)
    ('+10.0 %', '-10.0 %', None)
    """
    if value is None or not before:
        return None
    return f"{(float(value) / float(before) - 1) * 100:+,.1f} %"


def day(value: date) -> str:
    """Write a day.

    Examples
    --------
    >>> day(date(2024, 3, 1))
    '1 Mar 2024'
    """
    return f"{value.day} {value:%b %Y}"


def moment(value: datetime) -> str:
    """Write a moment, which is in UTC where it names no zone, to the second."""
    return f"{_utc(value):%Y-%m-%d %H:%M:%S}"


def age(value: timedelta) -> str:
    """Write how long something lasts or is ago, in its largest unit.

    Examples
    --------
    >>> age(timedelta(seconds=59)), age(timedelta(minutes=61)), age(timedelta(days=3))
    ('59 s', '1 h', '3 days')
    """
    seconds = max(0, int(value.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 48 * 3600 else f"{seconds // 86400} days"


def ago(value: datetime) -> str:
    """Write how long ago a moment is."""
    return f"{age(datetime.now(UTC) - _utc(value))} ago"


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
