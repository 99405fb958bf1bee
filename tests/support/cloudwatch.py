"""CloudWatch's evaluation of alarms, for what ours use of it: a statistic, M of N periods, and what a missing datum means."""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

_BEYOND = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}
_STATISTICS = {"Sum": sum, "Maximum": max}


@dataclass
class Series:
    """Data by namespace, metric and resource."""

    data: dict[tuple[str, str, str], list[tuple[datetime, float]]] = field(default_factory=lambda: defaultdict(list))

    def put(self, namespace: str, name: str, resource: str, at: datetime, value: float = 1) -> None:
        self.data[namespace, name, resource].append((at, value))

    def between(self, key: tuple[str, str, str], begin: datetime, end: datetime) -> list[float]:
        return [value for at, value in self.data[key] if begin < at <= end]


@dataclass
class AlarmModel:
    """One alarm of the template.

    Attributes
    ----------
    properties
        Of ``AWS::CloudWatch::Alarm``.
    is_aligned
        Whether its periods begin at multiples of the period rather than when it is evaluated.
    state
        ``OK`` or ``ALARM``.
    """

    properties: dict[str, Any]
    is_aligned: bool = False
    state: str = "OK"

    @property
    def key(self) -> tuple[str, str, str]:
        found = self.properties
        (dimension,) = found["Dimensions"]
        return found["Namespace"], found["MetricName"], _resource(dimension["Value"])

    def evaluate(self, series: Series, now: datetime) -> bool:
        """Look at the newest periods; return whether the state has changed."""
        found = self.properties
        period, count = timedelta(seconds=found["Period"]), found["EvaluationPeriods"]
        end = _aligned(now, period) if self.is_aligned else now
        values = [series.between(self.key, end - period * (n + 1), end - period * n) for n in range(count)]
        judged = [self._is_breaching(value) for value in values]
        known = [is_breaching for is_breaching in judged if is_breaching is not None]
        if not known:  # all is missing, and that is ignored
            return False
        before, self.state = self.state, "ALARM" if sum(known) >= found["DatapointsToAlarm"] else "OK"
        return self.state != before

    def _is_breaching(self, values: list[float]) -> bool | None:
        found = self.properties
        if not values:
            return {"notBreaching": False, "breaching": True, "ignore": None}[found["TreatMissingData"]]
        value = _STATISTICS[found["Statistic"]](values)
        return bool(_BEYOND[found["ComparisonOperator"]](value, found["Threshold"]))


def _resource(value: Any) -> str:
    """Return which of our resources a dimension names: a service's name, or a reference to another stack's resource."""
    if isinstance(value, str):
        return value.rsplit("-", 1)[-1]
    text = str(value)
    names = {"ExtractFunction": "extract", "LoadFunction": "load", "Machine": "publish", "DeadLetters": "undelivered"}
    (found,) = {resource for name, resource in names.items() if name in text}
    return found


def _aligned(now: datetime, period: timedelta) -> datetime:
    """Return the end of the period that `now` is in."""
    seconds = period.total_seconds()
    return datetime.fromtimestamp(math.ceil(now.timestamp() / seconds) * seconds, now.tzinfo)
