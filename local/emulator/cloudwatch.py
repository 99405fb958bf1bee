"""What the emulator's CloudWatch lacks: metrics in logs, those of machines and queues, alarms by dimension, and their events.

It takes all data of a metric's name together, whatever they measure, looks at a missing datum as at none, and keeps a change of
an alarm's state to itself, where AWS hands it to EventBridge.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from local.servers.emulator_process import ACCOUNT, REGION

#: Between two looks at all alarms.
SECONDS = 2.0
_BEYOND: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}
_STATISTICS: dict[str, Callable[[list[float]], float]] = {"Sum": sum, "Maximum": max}
_MISSING = {"breaching": True, "notBreaching": False}
_ENDED = {"ExecutionsFailed": "FAILED", "ExecutionsTimedOut": "TIMED_OUT"}

Point = tuple[float, float]


def install() -> None:
    """Read metrics out of logs, evaluate alarms as AWS does, and hand their changes to EventBridge."""
    import ministack.services.cloudwatch as service
    import ministack.services.cloudwatch_logs as logs

    plain_append, plain_dispatch = logs._append_log_events, service._dispatch_alarm_actions

    def append(stream: dict[str, Any], events: list[dict[str, Any]]) -> None:
        plain_append(stream, events)
        for event in events:
            for namespace, name, dimensions, value in embedded_metrics(event["message"]):
                service.record_metric(namespace, name, value, dimensions=dimensions)

    def dispatch(alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
        plain_dispatch(alarm, old, new, reason)
        _tell_event_bridge(alarm, old, new, reason)

    logs._append_log_events = append
    service._dispatch_alarm_actions = dispatch
    service._evaluate_alarm = _evaluate
    threading.Thread(target=_watch, daemon=True, name="alarms").start()


def embedded_metrics(line: str) -> Iterator[tuple[str, str, dict[str, str], float]]:
    """Read a line of a log in CloudWatch's embedded metric format: namespace, name, dimensions and value of each datum."""
    if '"_aws"' not in line:
        return
    try:
        found = json.loads(line)
        groups = found["_aws"]["CloudWatchMetrics"]
    except (ValueError, KeyError, TypeError):
        return
    for group in groups:
        for names in group["Dimensions"]:
            dimensions = {name: str(found[name]) for name in names}
            for metric in group["Metrics"]:
                value = found[metric["Name"]]
                for one in value if isinstance(value, list) else [value]:
                    yield group["Namespace"], metric["Name"], dimensions, float(one)


def state_of(alarm: dict[str, Any], points: list[Point], now: float) -> str | None:
    """Return the state that an alarm has by its metric's data, or None when they do not tell.

    Parameters
    ----------
    points
        When, in seconds, and what was measured.
    """
    period, count = alarm.get("Period", 60), alarm.get("EvaluationPeriods", 1)
    judged: list[bool] = []
    for ago in range(count):
        values = [value for at, value in points if now - period * (ago + 1) < at <= now - period * ago]
        missing = _MISSING.get(alarm.get("TreatMissingData", "missing"))
        if values:
            value = _STATISTICS[alarm["Statistic"]](values)
            judged.append(_BEYOND[alarm["ComparisonOperator"]](value, alarm["Threshold"]))
        elif missing is not None:
            judged.append(missing)
    if not judged or not points:
        return None
    return "ALARM" if sum(judged) >= (alarm.get("DatapointsToAlarm") or count) else "OK"


def _evaluate(alarm: dict[str, Any]) -> None:
    import ministack.services.cloudwatch as service

    state = state_of(alarm, _points(alarm), time.time())
    if state is None or state == alarm["StateValue"]:
        return
    old, reason = alarm["StateValue"], f"Threshold Crossed: {alarm['MetricName']} against {alarm['Threshold']}"
    alarm |= {"StateValue": state, "StateReason": reason, "StateUpdatedTimestamp": int(time.time())}
    service._record_history(alarm["AlarmName"], old, state, reason)
    service._dispatch_alarm_actions(alarm, old, state, reason)


def _points(alarm: dict[str, Any]) -> list[Point]:
    """Return the data of an alarm's metric; machines and queues are asked, for the emulator counts nothing of them."""
    import ministack.services.cloudwatch as service
    import ministack.services.sqs as queues
    import ministack.services.stepfunctions as machines

    dimensions = {d["Name"]: d["Value"] for d in alarm.get("Dimensions", [])}
    namespace, name = alarm["Namespace"], alarm["MetricName"]
    if namespace == "AWS/States":
        ended = [e for e in list(machines._executions.values()) if e.get("stopDate")]
        ours = [e for e in ended if e.get("stateMachineArn") == dimensions["StateMachineArn"]]
        return [(datetime.fromisoformat(e["stopDate"]).timestamp(), float(e["status"] == _ENDED[name])) for e in ours]
    if namespace == "AWS/SQS":
        found = [queue for queue in list(queues._queues.values()) if queue["name"] == dimensions["QueueName"]]
        now = time.time()
        return [(now, float(sum(m["visible_at"] <= now for m in queue["messages"]))) for queue in found]
    kept = service._metrics.get((namespace, name, service._dims_key(dimensions)), [])
    return [(point["Timestamp"], point["Value"]) for point in list(kept)]


def _tell_event_bridge(alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
    import ministack.services.eventbridge as bus

    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    detail = {
        "alarmName": alarm["AlarmName"],
        "state": {"value": new, "reason": reason, "timestamp": moment},
        "previousState": {"value": old},
    }
    bus._dispatch_event(
        {
            "EventId": str(uuid.uuid4()),
            "Source": "aws.cloudwatch",
            "DetailType": "CloudWatch Alarm State Change",
            "Detail": json.dumps(detail),
            "EventBusName": "default",
            "Time": moment,
            "Resources": [alarm["AlarmArn"]],
            "Account": ACCOUNT,
            "Region": REGION,
        }
    )


def _watch() -> None:
    """Evaluate every alarm again and again."""
    import ministack.services.cloudwatch as service
    from ministack.core import responses

    responses.set_request_account_id(ACCOUNT)
    responses.set_request_region(REGION)
    while True:
        time.sleep(SECONDS)
        service._evaluate_all_alarms()
