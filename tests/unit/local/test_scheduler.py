"""What fires, with whose role, and what becomes of a request that is refused."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from local.emulator.scheduler import record as records
from local.emulator.scheduler import service as scheduler
from local.emulator.scheduler.clock import Clock
from local.emulator.scheduler.delivery import RefusedError, deliver
from local.emulator.scheduler.firing import LATE, Loop
from local.emulator.scheduler.record import Firing, FiringRecord
from local.emulator.scheduler.schedule import read_schedule

BEGIN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FUNCTION = "arn:aws:lambda:eu-west-2:000000000001:function:extract"
MACHINE = "arn:aws:states:eu-west-2:000000000001:stateMachine:publish"
ROLE = "arn:aws:iam::000000000001:role/s-schedule"
QUEUE = "arn:aws:sqs:eu-west-2:000000000001:lost"


def schedule_record(name="s", expression="rate(5 minutes)", target=FUNCTION, modified=BEGIN, **further):
    return {
        "Name": name,
        "Arn": f"arn:aws:scheduler:eu-west-2:000000000001:schedule/default/{name}",
        "GroupName": "default",
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "Target": {"Arn": target, "RoleArn": ROLE, "Input": '{"trigger": "schedule"}', **further},
        "LastModificationDate": modified.timestamp(),
    }


class Watch:
    """A loop under a clock that the test moves."""

    def __init__(self, *schedules):
        self._now, self._fired = BEGIN + timedelta(seconds=1), []
        fire = lambda schedule, due: self._fired.append((schedule.name, f"{due:%d %H:%M}"))  # noqa: E731
        self._loop = Loop(SimpleNamespace(now=lambda: self._now), lambda: schedules, fire)

    def at(self, moment):
        """Look then, and return what fired."""
        self._now, self._fired = moment, []
        self._loop.look()
        return self._fired


def minutes(number):
    return BEGIN + timedelta(minutes=number)


def test_a_schedule_fires_once_for_each_moment_however_often_the_clock_is_looked_at():
    seen = Watch(schedule_record())
    assert [seen.at(minutes(m)) for m in (4.9, 5, 5.1, 9, 10.5, 11)] == [
        [],
        [("s", "01 12:05")],
        [],
        [],
        [("s", "01 12:10")],
        [],
    ]


def test_each_schedule_fires_for_itself_and_one_that_is_not_understood_keeps_none_from_firing():
    broken = {**schedule_record("broken"), "ScheduleExpression": "cron(L)"}
    asleep = {**schedule_record("asleep"), "State": "DISABLED"}
    seen = Watch(broken, asleep, schedule_record("a"), schedule_record("b", "cron(5 12 * * ? *)"))
    assert seen.at(minutes(5)) == [("a", "01 12:05"), ("b", "01 12:05")]
    assert seen.at(minutes(10)) == [("a", "01 12:10")]


def test_a_schedule_that_was_due_while_the_emulator_was_busy_fires_once_for_all():
    assert Watch(schedule_record(expression="rate(1 minute)")).at(minutes(7)) == [("s", "01 12:07")]


def test_what_was_due_while_nobody_looked_is_missed_and_not_made_up_for():
    """As with AWS, a jump of the clock, a machine that slept, and an emulator that was down all look alike."""
    daily = schedule_record(expression="cron(0 3 * * ? *)")
    seen = Watch(daily)
    assert seen.at(datetime(2026, 3, 2, 3, 11, tzinfo=UTC)) == []  # due at three, 11 minutes ago
    assert seen.at(datetime(2026, 3, 3, 3, 9, tzinfo=UTC)) == [("s", "03 03:00")]
    assert timedelta(minutes=9) < LATE < timedelta(minutes=11)
    restarted = Watch(schedule_record(modified=BEGIN - timedelta(days=1)))
    assert restarted.at(BEGIN + timedelta(seconds=2)) == []  # 12:00:00 was due before it was up


def test_a_clock_that_is_corrected_repeats_nothing_and_one_that_is_set_back_fires_again():
    seen = Watch(schedule_record(modified=BEGIN - timedelta(days=1)))
    assert seen.at(minutes(5.01)) == [("s", "01 12:05")]
    assert seen.at(minutes(4.9)) == seen.at(minutes(5.02)) == []
    assert seen.at(minutes(-120)) == []
    assert seen.at(minutes(-115)) == [("s", "01 10:05")]


def test_the_clock_is_moved_by_a_file(tmp_path):
    clock = Clock(tmp_path / "clock")
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    clock.set(BEGIN)
    assert abs(Clock(tmp_path / "clock").now() - BEGIN) < timedelta(seconds=5)
    assert [file.name for file in tmp_path.iterdir()] == ["clock"]


class Aws:
    """Takes what is asked of it; fails as often as it is told, with what it is told."""

    def __init__(self, *failures, queue=None):
        self.calls, self._failures, self._queue = [], list(failures), queue
        self.meta = SimpleNamespace(endpoint_url="http://127.0.0.1:1")

    def take_role(self, role):
        self.role = role
        return self

    def client(self, service):
        self.service = service
        return self

    def _asked(self, **request):
        self.calls.append((self.service, request))
        if self._failures and (failure := self._failures.pop(0)):
            raise failure

    invoke = start_execution = _asked

    def send_message(self, **request):
        self.letter = request
        if self._queue:
            raise self._queue


def refusal(code="AccessDeniedException", status=403):
    answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Invoke")


def delivered(aws, pauses=None, **schedule):
    found = read_schedule(schedule_record(**schedule))
    return deliver(found, BEGIN, aws.take_role, (pauses if pauses is not None else []).append)


def test_a_function_is_invoked_asynchronously_and_a_state_machine_started_with_the_role_and_the_input():
    aws = Aws()
    assert delivered(aws).error == "" and aws.role == ROLE
    request = {"FunctionName": FUNCTION, "InvocationType": "Event", "Payload": b'{"trigger": "schedule"}'}
    assert aws.calls == [("lambda", request)]
    aws = Aws()
    assert delivered(aws, target=MACHINE).error == ""
    assert aws.calls == [("stepfunctions", {"stateMachineArn": MACHINE, "input": '{"trigger": "schedule"}'})]


def test_another_target_is_refused_by_name():
    aws = Aws()
    assert "UnsupportedTarget" in delivered(aws, target="arn:aws:scheduler:::aws-sdk:sqs:sendMessage").error
    assert aws.calls == []


def test_keywords_of_the_input_are_replaced():
    words = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
    text = json.dumps({word: f"<aws.scheduler.{word}>" for word in words})
    aws = Aws(refusal("TooManyRequestsException", 429))
    delivered(aws, Input=text)
    first, second = (json.loads(request["Payload"]) for _, request in aws.calls)
    assert first["schedule-arn"].endswith(":schedule/default/s") and first["scheduled-time"] == "2026-03-01T12:00:00Z"
    assert (first["attempt-number"], second["attempt-number"]) == ("1", "2")
    assert first["execution-id"] == second["execution-id"] != ""


def test_what_may_go_away_is_tried_again_with_growing_pauses():
    pauses = []
    aws = Aws(
        refusal("ServiceException", 500), refusal("ThrottlingException", 400), EndpointConnectionError(endpoint_url="x")
    )
    done = delivered(aws, pauses)
    assert (done.attempts, done.error, pauses) == (4, "", [1, 2, 4])


def test_the_retry_policy_says_how_often_and_how_long():
    fails = [refusal("ServiceException", 500) for _ in range(9)]
    done = delivered(Aws(*fails), RetryPolicy={"MaximumRetryAttempts": 2})
    assert (done.attempts, done.error) == (3, "ServiceException: no")
    done = delivered(Aws(*fails), RetryPolicy={"MaximumRetryAttempts": 9, "MaximumEventAgeInSeconds": 0})
    assert done.attempts == 1


@pytest.mark.parametrize(
    "error", [refusal(), refusal("ResourceNotFoundException", 404), RefusedError("RoleNotFound: x")]
)
def test_what_is_refused_is_not_tried_again_and_told(error):
    pauses = []
    done = delivered(Aws(error), pauses)
    assert (done.attempts, pauses, done.dead_letter) == (1, [], False)
    assert done.error in ("AccessDeniedException: no", "ResourceNotFoundException: no", "RoleNotFound: x")


def test_a_request_that_is_given_up_is_written_into_the_dead_letter_queue_with_its_reason():
    aws = Aws(refusal())
    done = delivered(aws, DeadLetterConfig={"Arn": QUEUE})
    assert done.dead_letter and done.error == "AccessDeniedException: no" and aws.service == "sqs"
    assert aws.letter["QueueUrl"] == "http://127.0.0.1:1/000000000001/lost"
    assert aws.letter["MessageBody"] == '{"trigger": "schedule"}'
    told = {name: value["StringValue"] for name, value in aws.letter["MessageAttributes"].items()}
    assert told["ERROR_CODE"] == "AccessDeniedException" and told["ERROR_MESSAGE"] == "no"
    assert told["TARGET_ARN"] == FUNCTION and told["SCHEDULED_TIME"] == "2026-03-01T12:00:00Z"
    assert told["RETRY_ATTEMPTS"] == "0"


def test_a_queue_that_refuses_the_request_is_told_too():
    done = delivered(Aws(refusal(), queue=refusal("QueueDoesNotExist", 400)), DeadLetterConfig={"Arn": QUEUE})
    assert not done.dead_letter and "its queue refused it: QueueDoesNotExist" in done.error


def firing(number):
    return Firing(f"s{number}", "due", "at", ROLE, FUNCTION, "{}", 1, "")


def test_the_record_keeps_the_newest_firings_and_bears_a_line_that_was_not_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "KEPT", 2)
    record = FiringRecord(tmp_path / "firings")
    assert record.read() == []
    for number in range(3):
        record.add(firing(number))
    with (tmp_path / "firings").open("a") as file:
        file.write('{"schedule": "s3", "due')
    assert record.read() == [firing(0), firing(1), firing(2)]
    record.shorten()
    record.add(firing(4))
    assert FiringRecord(tmp_path / "firings").read() == [firing(1), firing(2), firing(4)]


@pytest.fixture
def service(tmp_path, monkeypatch):
    """The emulator's service with our additions, in this process, under a clock of its own."""
    import ministack.services.scheduler as service

    monkeypatch.setenv("LOCAL_CLOCK", str(tmp_path / "clock"))
    monkeypatch.setenv("LOCAL_FIRINGS", str(tmp_path / "firings"))
    for name in ("start_scheduler", "_now", "_create_schedule", "_update_schedule"):
        monkeypatch.setattr(service, name, getattr(service, name))
    Clock(tmp_path / "clock").set(BEGIN)
    scheduler.install()
    yield service
    service.reset()


TEMPLATE = {
    "Name": "s",
    "ScheduleExpression": "cron(0 3 * * ? *)",
    "ScheduleExpressionTimezone": "Europe/London",
    "EndDate": "2026-03-05T00:00:00Z",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "State": "DISABLED",
    "Target": {"Arn": FUNCTION, "RoleArn": ROLE, "RetryPolicy": {"MaximumRetryAttempts": 2}},
}


def test_a_template_brings_the_whole_schedule_and_a_change_takes_effect_from_then_on(service, tmp_path):
    assert scheduler.create_schedule("Logical", TEMPLATE, "stack")[0] == "s"
    kept = json.loads(service._get_schedule("s", {})[2])
    assert {name: kept[name] for name in TEMPLATE} == TEMPLATE
    assert kept["LastModificationDate"] == pytest.approx(BEGIN.timestamp(), abs=5)
    Clock(tmp_path / "clock").set(minutes(60))
    changed = {**TEMPLATE, "State": "ENABLED", "ScheduleExpression": "rate(5 minutes)"}
    scheduler.update_schedule("s", TEMPLATE, changed, "stack")
    found = read_schedule(json.loads(service._get_schedule("s", {})[2]))
    assert found.is_enabled and found.begin.timestamp() == pytest.approx(minutes(60).timestamp(), abs=5)


def test_a_schedule_that_would_not_fire_as_on_aws_is_refused_when_it_is_deployed(service):
    with pytest.raises(ValueError, match="does not know L, W and #"):
        scheduler.create_schedule("", {**TEMPLATE, "ScheduleExpression": "cron(0 3 L * ? *)"}, "stack")
    assert service._get_schedule("s", {})[0] == 404
    scheduler.create_schedule("", TEMPLATE, "stack")
    with pytest.raises(ValueError, match="FlexibleTimeWindow"):
        scheduler.update_schedule("s", TEMPLATE, {**TEMPLATE, "FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "stack")
    assert json.loads(service._get_schedule("s", {})[2])["FlexibleTimeWindow"] == {"Mode": "OFF"}
    with pytest.raises(ValueError, match="already exists"):
        scheduler.create_schedule("", TEMPLATE, "stack")


def test_a_refused_firing_is_recorded_and_counted_for_alarms(tmp_path, monkeypatch):
    import ministack.services.cloudwatch as cloudwatch

    counted = []
    monkeypatch.setattr(cloudwatch, "record_metric", lambda *counts: counted.append(counts))
    monkeypatch.setattr(scheduler, "_take_role", Aws(refusal()).take_role)
    record = FiringRecord(tmp_path / "firings")
    clock = Clock(tmp_path / "clock")
    scheduler._fire(read_schedule(schedule_record()), BEGIN, clock, record)
    (told,) = record.read()
    assert (told.schedule, told.due, told.role, told.target) == ("s", "2026-03-01T12:00:00+00:00", ROLE, FUNCTION)
    assert (told.input, told.attempts, told.error) == ('{"trigger": "schedule"}', 1, "AccessDeniedException: no")
    assert ("AWS/Scheduler", "InvocationDroppedCount", 1, "Count", {"ScheduleGroup": "default"}) in counted
    counted.clear()
    monkeypatch.setattr(scheduler, "_take_role", Aws().take_role)
    scheduler._fire(read_schedule(schedule_record()), BEGIN, clock, record)
    assert [name for _, name, *_ in counted] == ["InvocationAttemptCount"] and record.read()[1].error == ""
