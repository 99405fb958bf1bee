"""One schedule, as the service keeps it: when it fires, and what it asks of whom."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from local.emulator.scheduler.cron import Cron, ExpressionError, parse_cron

_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Rate:
    """Fires at once, and then every so often: a day has 24 hours, whatever the clocks do.

    Attributes
    ----------
    interval
        How often.
    begin
        When it fires first.
    """

    interval: timedelta
    begin: datetime

    def next_after(self, moment: datetime) -> datetime:
        """Return the first moment after `moment`."""
        if moment < self.begin:
            return self.begin
        return self.begin + ((moment - self.begin) // self.interval + 1) * self.interval


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule of the service.

    Attributes
    ----------
    name, arn, group
        Which.
    expression
        As it was written.
    is_enabled
        Whether it fires.
    times
        When it would fire.
    begin, end
        Before and after which moments it does not.
    target
        What it asks, of whom, with which role: the service's own ``Target``.
    """

    name: str
    arn: str
    group: str
    expression: str
    is_enabled: bool
    times: Rate | Cron
    begin: datetime
    end: datetime | None
    target: dict[str, Any]

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first moment after `moment` at which it fires, or None."""
        found = self.times.next_after(max(moment, self.begin - timedelta.resolution)) if self.is_enabled else None
        return found if found and (self.end is None or found <= self.end) else None

    def newest(self, after: datetime, until: datetime) -> datetime | None:
        """Return the last moment after `after` and up to `until` at which it fires, or None."""
        newest, found = None, self.next_after(after)
        while found and found <= until:
            newest, found = found, self.next_after(found)
        return newest


def read_schedule(record: dict[str, Any]) -> Schedule:
    """Read what ``GetSchedule`` answers. A schedule that was changed begins anew then.

    Raises
    ------
    ExpressionError
        When the local scheduler would not fire it as AWS would.
    """
    if record["FlexibleTimeWindow"].get("Mode") != "OFF":
        raise ExpressionError("FlexibleTimeWindow: the local scheduler knows only Mode OFF")
    begin = _moment(record.get("StartDate") or record["LastModificationDate"])
    expression = record["ScheduleExpression"]
    return Schedule(
        name=record["Name"],
        arn=record["Arn"],
        group=record["GroupName"],
        expression=expression,
        is_enabled=record["State"] == "ENABLED",
        times=_times(expression, record.get("ScheduleExpressionTimezone") or "UTC", begin),
        begin=begin,
        end=_moment(record["EndDate"]) if record.get("EndDate") else None,
        target=record["Target"],
    )


def _times(expression: str, zone: str, begin: datetime) -> Rate | Cron:
    if found := re.fullmatch(r"cron\((.*)\)", expression):
        try:
            return parse_cron(found[1], ZoneInfo(zone))
        except (ZoneInfoNotFoundError, ValueError) as error:
            if isinstance(error, ExpressionError):
                raise
            raise ExpressionError(f"ScheduleExpressionTimezone {zone!r} is not known") from None
    if found := re.fullmatch(r"rate\(([1-9]\d{0,8}) (minute|hour|day)s?\)", expression):
        return Rate(int(found[1]) * _UNITS[found[2]], begin)
    raise ExpressionError(f"{expression!r} is neither rate(n minutes|hours|days) nor cron(…)")


def _moment(value: Any) -> datetime:
    """Read a moment as the service keeps it (seconds), boto3 returns it, or a template writes it (text)."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
