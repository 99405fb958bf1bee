"""What the function is told: that an execution or an extraction failed, or that an alarm changed its state."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.alarms import Alarm
from contracts.errors import DamagedDocumentError
from contracts.protocol.steps import FailureEvent, Stage
from contracts.protocol.strict_json import read
from lambdas.errors import EventError
from lambdas.notify.causes import CAUSES, KILLED, NOT_STARTED, TIMED_OUT

#: An error's class and message, as Glue reports what ended a run.
_NAMED = re.compile(r"(?:^|[\s.(])([A-Z]\w*(?:Error|Exception))\b:?\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Failure:
    """Something failed.

    Attributes
    ----------
    stage
        Where.
    error
        Name of the error, one of `lambdas.notify.causes.CAUSES` or another one.
    detail
        The error's own message, "" when it is not one of the platform's, whose messages tell no secret and no row.
    execution
        ARN of the state machine's execution, or "".
    asked
        Number of the full batch that was asked for to mend it, or None when there is none yet.
    mended
        Whether one was asked for.
    """

    stage: Stage
    error: str
    detail: str = ""
    execution: str = ""
    asked: int | None = None
    mended: bool = False


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """An alarm rose, or it is over."""

    alarm: Alarm
    is_up: bool


def parse(event: Mapping[str, Any], deployment: str) -> Failure | AlarmChange | None:
    """Read the event: a `FailureEvent` of the state machine, a failed invocation that Lambda reports, or an alarm's change.

    Returns
    -------
    Failure, AlarmChange or None
        None when there is nothing to say about it.

    Raises
    ------
    EventError
        When it is something else.
    """
    if event.get("source") == "aws.cloudwatch":
        return _alarm(event, deployment)
    if "requestContext" in event:
        return _invocation(event)
    try:
        told = read(FailureEvent, event, "The event")
    except DamagedDocumentError as error:
        raise EventError(f"{error}. Nobody was told anything.") from None
    name, detail = _explained(told.error, told.cause)
    return Failure(Stage(told.stage), name, detail, told.execution, told.asked, told.mended)


def _alarm(event: Mapping[str, Any], deployment: str) -> AlarmChange | None:
    detail = event.get("detail", {})
    name, state = str(detail.get("alarmName", "")).removeprefix(f"{deployment}-"), detail.get("state", {}).get("value")
    if name not in [*Alarm] or state not in ("ALARM", "OK"):
        return None
    return AlarmChange(Alarm(name), state == "ALARM")


def _invocation(event: Mapping[str, Any]) -> Failure:
    """Read what Lambda sends after an asynchronous invocation of the extract function that failed, or never took place."""
    if event["requestContext"].get("condition") == "EventAgeExceeded":
        return Failure(Stage.EXTRACT, NOT_STARTED)
    payload = event.get("responsePayload")
    return Failure(Stage.EXTRACT, *_of_function(payload if isinstance(payload, dict) else {}))


def _explained(error: str, cause: str) -> tuple[str, str]:
    """Return the error's name and message: the cause is what a function or a run of the job reports, as JSON."""
    try:
        report = json.loads(cause)
    except ValueError:
        return _known(error, cause)
    if not isinstance(report, dict):
        return _known(error, "")
    if "JobName" in report:
        return _of_job(report)
    return _of_function({"errorType": error, **report})


def _of_job(run: Mapping[str, Any]) -> tuple[str, str]:
    if run.get("JobRunState") == "TIMEOUT":
        return TIMED_OUT, ""
    message = str(run.get("ErrorMessage") or "")
    found = _NAMED.search(message)
    return _known(found[1], found[2]) if found else (KILLED, "")


def _of_function(report: Mapping[str, Any]) -> tuple[str, str]:
    name, message = str(report.get("errorType") or ""), str(report.get("errorMessage") or "")
    if "Timedout" in name or "Task timed out" in message:
        return TIMED_OUT, ""
    if not name or name.startswith("Runtime."):
        return KILLED, ""
    return _known(name, message)


def _known(name: str, message: str) -> tuple[str, str]:
    """Keep the message of an error of ours; what others write may have a host or a value in it."""
    return name, " ".join(message.split()) if name in CAUSES else ""
