"""The emulator's service, with a loop that fires its schedules as AWS would."""

import contextlib
import json
import logging
import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from local.emulator.scheduler.clock import Clock
from local.emulator.scheduler.delivery import Delivery, Login, RefusedError, deliver
from local.emulator.scheduler.firing import Loop
from local.emulator.scheduler.record import Firing, FiringRecord
from local.emulator.scheduler.schedule import Schedule, read_schedule

PRINCIPAL = "scheduler.amazonaws.com"

logger = logging.getLogger("scheduler")


def install() -> Callable[[], None]:
    """Take the place of the emulator's own loop; return what makes the schedules fire from then on."""
    import ministack.services.scheduler as service

    clock, record = Clock(Path(os.environ["LOCAL_CLOCK"])), FiringRecord(Path(os.environ["LOCAL_FIRINGS"]))
    record.shorten()
    service.start_scheduler = lambda: None
    service._now = lambda: clock.now().timestamp()
    service._create_schedule = _checked(service._create_schedule)
    service._update_schedule = _checked(service._update_schedule)

    def fire(schedule: Schedule, due: datetime) -> None:
        threading.Thread(target=_fire, args=(schedule, due, clock, record), daemon=True).start()

    loop = Loop(clock, lambda: [dict(found) for found in list(service._schedules._data.values())], fire)
    thread = threading.Thread(target=loop.run, daemon=True, name="schedules")

    def begin() -> None:
        if not thread.is_alive():
            thread.start()

    return begin


def create_schedule(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    """Create what a template describes: the emulator's own handler forgets time zone, begin and end, and every error."""
    import ministack.services.scheduler as service

    del logical_id, stack_name
    return _accepted(props, service._create_schedule(props["Name"], props))


def update_schedule(pid: str, before: dict[str, Any], after: dict[str, Any], stack_name: str) -> Any:
    """Change a schedule; one of another name is another schedule."""
    import ministack.services.scheduler as service

    if after["Name"] != pid:
        return create_schedule("", after, stack_name)
    del before
    return _accepted(after, service._update_schedule(pid, after))


def _accepted(props: dict[str, Any], answer: tuple[int, Any, bytes]) -> tuple[str, dict[str, str]]:
    status, _, body = answer
    told = json.loads(body)
    if status >= 400:
        raise ValueError(told["Message"])
    return props["Name"], {"Arn": told["ScheduleArn"]}


def _checked(plain: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a schedule that would not fire here as on AWS, when it is written."""
    import ministack.services.scheduler as service

    def write(name: str, body: dict[str, Any]) -> Any:
        known = {"Name": name, "Arn": "", "GroupName": "default", "State": "ENABLED", "LastModificationDate": 0}
        with contextlib.suppress(KeyError):  # what is missing the service tells itself
            try:
                read_schedule({**known, **body})
            except ValueError as error:
                return service._error(400, "ValidationException", str(error))
        return plain(name, body)

    return write


def _fire(schedule: Schedule, due: datetime, clock: Clock, record: FiringRecord) -> None:
    target = schedule.target
    try:
        delivery = deliver(schedule, due, _take_role)
    except Exception as error:
        logger.exception("Schedule %s was not delivered", schedule.name)
        delivery = Delivery(1, f"{type(error).__name__}: {error}")
    _measure(schedule, delivery)
    firing = Firing(
        schedule=schedule.name,
        due=due.isoformat(timespec="seconds"),
        at=clock.now().isoformat(timespec="seconds"),
        role=target["RoleArn"],
        target=target["Arn"],
        input=str(target.get("Input") or "{}"),
        attempts=delivery.attempts,
        error=delivery.error,
    )
    record.add(firing)


def _take_role(role: str) -> Login:
    """Log in as a role that trusts the service, at the emulator itself: what the role may not do is refused."""
    import boto3
    from botocore.exceptions import ClientError

    endpoint = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
    try:
        found = boto3.client("iam", endpoint_url=endpoint).get_role(RoleName=role.rpartition("/")[2])["Role"]
    except ClientError:
        raise RefusedError(f"RoleNotFound: the schedule's role {role} is not there") from None
    if PRINCIPAL not in json.dumps(found["AssumeRolePolicyDocument"]):
        raise RefusedError(f"RoleNotTrusting: {role} does not let {PRINCIPAL} take it")
    sts = boto3.client("sts", endpoint_url=endpoint)
    session = sts.assume_role(RoleArn=role, RoleSessionName="schedule")["Credentials"]
    return _Session(session, endpoint)


class _Session:
    """A role's session at the emulator."""

    def __init__(self, credentials: dict[str, str], endpoint: str) -> None:
        self._credentials, self._endpoint = credentials, endpoint

    def client(self, service: str) -> Any:
        """Return a client that asks once: the schedule's policy says how often it is tried."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self._endpoint,
            aws_access_key_id=self._credentials["AccessKeyId"],
            aws_secret_access_key=self._credentials["SecretAccessKey"],
            aws_session_token=self._credentials["SessionToken"],
            config=Config(retries={"total_max_attempts": 1}),
        )


def _measure(schedule: Schedule, delivery: Delivery) -> None:
    """Count as AWS does, for alarms."""
    from ministack.services.cloudwatch import record_metric

    counts = {
        "InvocationAttemptCount": delivery.attempts,
        "TargetErrorCount": delivery.attempts - (0 if delivery.error else 1),
        "InvocationDroppedCount": int(bool(delivery.error)),
        "InvocationsSentToDeadLetterCount": int(delivery.dead_letter),
    }
    for name, value in counts.items():
        if value:
            record_metric("AWS/Scheduler", name, value, "Count", {"ScheduleGroup": schedule.group})
