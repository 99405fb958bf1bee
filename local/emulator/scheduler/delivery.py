"""Asking a schedule's target, with the schedule's role; and what becomes of a request that is refused."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from local.emulator.scheduler.schedule import Schedule

#: What AWS does unless the schedule's ``RetryPolicy`` says otherwise.
RETRIES, AGE_SECONDS = 185, 86_400
#: The longest pause between two attempts.
PAUSE_SECONDS = 60

_THROTTLED = ("TooManyRequestsException", "ThrottlingException", "ExecutionLimitExceeded")


class RefusedError(Exception):
    """AWS would not ask the target: the role may not be taken, or the target is of no known kind."""


class Login(Protocol):
    """What a role may use: a boto3 session whose clients talk to the emulator."""

    def client(self, service: str) -> Any:
        """Return a client of a service."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an invocation ended.

    Attributes
    ----------
    attempts
        How often the target was asked.
    error
        Why it was given up, or "".
    dead_letter
        Whether the request is in the schedule's queue of such requests.
    """

    attempts: int
    error: str = ""
    dead_letter: bool = False


def deliver(
    schedule: Schedule, due: datetime, take_role: Callable[[str], Login], pause: Callable[[float], None] = time.sleep
) -> Delivery:
    """Ask the target of a schedule, as often as its ``RetryPolicy`` allows when the error may go away.

    Parameters
    ----------
    due
        When the schedule was to fire.
    take_role
        Logs in as a role; raises RefusedError when it may not be taken.
    """
    policy = schedule.target.get("RetryPolicy", {})
    retries = int(policy.get("MaximumRetryAttempts", RETRIES))
    until = time.monotonic() + int(policy.get("MaximumEventAgeInSeconds", AGE_SECONDS))
    execution, attempts = uuid.uuid4().hex[:16], 0
    while True:
        attempts += 1
        request = _filled(schedule, due, execution, attempts)
        try:
            _ask(take_role(schedule.target["RoleArn"]), schedule.target["Arn"], request)
            return Delivery(attempts)
        except (BotoCoreError, ClientError, RefusedError) as error:
            wait = min(PAUSE_SECONDS, 2.0 ** (attempts - 1))
            if not _may_go_away(error) or attempts > retries or time.monotonic() + wait > until:
                return _given_up(schedule, due, take_role, request, Delivery(attempts, _told(error)))
        pause(wait)


def _ask(login: Login, target: str, request: str) -> None:
    service = target.split(":")[2]
    if service == "lambda":
        login.client(service).invoke(FunctionName=target, InvocationType="Event", Payload=request.encode())
    elif service == "states":
        login.client("stepfunctions").start_execution(stateMachineArn=target, input=request)
    else:
        raise RefusedError(f"UnsupportedTarget: the local scheduler asks functions and state machines, not {target}")


def _filled(schedule: Schedule, due: datetime, execution: str, attempt: int) -> str:
    """Return the target's input, with what AWS puts in place of its keywords."""
    request = str(schedule.target.get("Input") or "{}")
    values = {
        "schedule-arn": schedule.arn,
        "scheduled-time": f"{due:%Y-%m-%dT%H:%M:%SZ}",
        "execution-id": execution,
        "attempt-number": str(attempt),
    }
    for name, value in values.items():
        request = request.replace(f"<aws.scheduler.{name}>", value)
    return request


def _may_go_away(error: Exception) -> bool:
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        return status >= 500 or error.response["Error"]["Code"] in _THROTTLED
    return isinstance(error, BotoCoreError)


def _told(error: Exception) -> str:
    if isinstance(error, ClientError):
        return f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}"
    return f"{type(error).__name__}: {error}" if isinstance(error, BotoCoreError) else str(error)


def _given_up(
    schedule: Schedule, due: datetime, take_role: Callable[[str], Login], request: str, delivery: Delivery
) -> Delivery:
    """Write the request into the schedule's dead-letter queue, if it has one; the role writes it."""
    queue = schedule.target.get("DeadLetterConfig", {}).get("Arn")
    if not queue:
        return delivery
    account, name = queue.split(":")[4:]
    code, _, message = delivery.error.partition(": ")
    attributes = {
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message or code,
        "RETRY_ATTEMPTS": str(delivery.attempts - 1),
        "SCHEDULED_TIME": f"{due:%Y-%m-%dT%H:%M:%SZ}",
        "SCHEDULE_ARN": schedule.arn,
        "TARGET_ARN": schedule.target["Arn"],
    }
    try:
        sqs = take_role(schedule.target["RoleArn"]).client("sqs")
        sqs.send_message(
            QueueUrl=f"{sqs.meta.endpoint_url}/{account}/{name}",
            MessageBody=request,
            MessageAttributes={k: {"DataType": "String", "StringValue": v} for k, v in attributes.items()},
        )
    except (BotoCoreError, ClientError, RefusedError) as error:
        return Delivery(delivery.attempts, f"{delivery.error} -- and its queue refused it: {_told(error)}")
    return Delivery(delivery.attempts, delivery.error, dead_letter=True)
