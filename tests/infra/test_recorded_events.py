"""What AWS sends, and what the rule, the functions and the state machine make of it: tests/events."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.metrics import NAMESPACE
from contracts.tables.source import SOURCE_TABLES
from lambdas.errors import EventError
from lambdas.extract.event import Request, parse_event
from local.batches import execution_error
from local.emulator.scheduler.schedule import read_schedule
from tests.support.patterns import matches
from tests.support.states import Answers, Failure, walk_as_the_emulator, walk_strictly

EVENTS = {
    file.stem: json.loads(file.read_text("utf-8")) for file in (Path(__file__).parents[1] / "events").glob("*.json")
}
ENVELOPES = {name: event for name, event in EVENTS.items() if "detail-type" in event}
INGESTION = EVENTS["s3-manifest-created"]["detail"]["bucket"]["name"]


def matches_as_the_emulator(pattern, event):
    import ministack.services.eventbridge as eventbridge

    status, _, body = eventbridge._test_event_pattern({"EventPattern": json.dumps(pattern), "Event": json.dumps(event)})
    assert status == 200, body
    return json.loads(body)["Result"]


def only(resources):
    (resource,) = resources.values()
    return resource["Properties"]


@pytest.fixture
def pattern(prod):
    """The deployed rule's pattern; the bucket it names is another stack's."""
    named = {"Properties": {"Name": "totesys-prod-batch-committed"}}
    found = only(prod["pipeline"].find_resources("AWS::Events::Rule", named))["EventPattern"]
    (bucket,) = found["detail"]["bucket"]["name"]
    assert "Ingestion" in bucket["Fn::ImportValue"]
    return {**found, "detail": {**found["detail"], "bucket": {"name": [INGESTION]}}}


@pytest.mark.parametrize("interpreter", [matches, matches_as_the_emulator])
@pytest.mark.parametrize("name", ENVELOPES)
def test_a_manifest_starts_the_state_machine_and_nothing_else_does(pattern, interpreter, name):
    assert interpreter(pattern, ENVELOPES[name]) is (name == "s3-manifest-created")


@pytest.mark.parametrize("interpreter", [matches, matches_as_the_emulator])
def test_a_pattern_wants_all_its_fields_and_one_of_the_values_of_each(interpreter):
    event = {**EVENTS["s3-manifest-created"], "resources": ["a", "b"]}
    assert interpreter({"source": ["aws.x", "aws.s3"], "resources": ["b"]}, event)
    assert not interpreter({"source": ["aws.s3"], "resources": ["c"]}, event)
    assert not interpreter({"source": ["aws.s3"], "detail": {"absent": ["x"]}}, event)
    assert interpreter({"detail": {"object": {"size": [18233]}}}, event)
    assert not interpreter({"detail": {"object": {"size": ["18233"]}}}, event)
    assert not interpreter({"detail": {"object": {"size": [{"prefix": "1"}]}}}, event)


def test_what_the_matcher_does_not_know_it_refuses():
    with pytest.raises(AssertionError, match="not interpreted"):
        matches({"source": [{"anything-but": "x"}]}, EVENTS["s3-manifest-created"])


@pytest.fixture
def schedules(prod):
    """Each deployed schedule, by the end of its name."""
    found = [r["Properties"] for r in prod["pipeline"].find_resources("AWS::Scheduler::Schedule").values()]
    return {schedule["Name"].removeprefix("totesys-prod-"): schedule for schedule in found}


def test_each_schedule_passes_its_own_recorded_input_on(schedules):
    recorded = {
        name.removeprefix("scheduler-"): event for name, event in EVENTS.items() if name.startswith("scheduler-")
    }
    assert recorded.pop("without-input")["source"] == "aws.scheduler"
    assert {name: json.loads(schedule["Target"]["Input"]) for name, schedule in schedules.items()} == recorded


@pytest.mark.parametrize(
    ("name", "moments"),
    [
        ("extract", ["03-01 00:00", "03-01 00:05"]),
        ("recover", ["03-01 00:00", "03-01 00:15"]),
        ("keys", ["03-01 03:00", "03-02 03:00"]),
        ("maintain", ["03-01 02:00", "03-08 02:00"]),
    ],
)
def test_each_schedule_fires_when_it_is_meant_to(schedules, name, moments):
    begin = datetime(2026, 3, 1, tzinfo=UTC)  # a Sunday
    schedule = read_schedule({"Arn": "", "GroupName": "default", "LastModificationDate": begin, **schedules[name]})
    first = schedule.next_after(datetime(2026, 2, 1, tzinfo=UTC))
    assert [f"{m:%m-%d %H:%M}" for m in (first, schedule.next_after(first))] == moments


def test_the_extract_function_takes_what_its_schedules_pass_on():
    assert parse_event(EVENTS["scheduler-extract"]) == Request()
    assert parse_event(EVENTS["scheduler-keys"]) == Request(key_lists=frozenset(SOURCE_TABLES))


def test_the_extract_function_refuses_what_a_schedule_without_an_input_would_pass_on():
    with pytest.raises(EventError, match="Nothing was done"):
        parse_event(EVENTS["scheduler-without-input"])


PENDING = {"batches": 12, "published": 11, "untransformed": 1, "full_pending": False}
GOOD = {
    "CheckPending": PENDING,
    "LookForARun": {"JobRuns": []},
    "Transform": {"JobRunState": "SUCCEEDED"},
    "Load": {"loaded": [12], "last": 12, "keys_wanted": [], "wanted": 0},
    "LoadWhatIsPublished": {"loaded": [], "last": 11, "keys_wanted": [], "wanted": 0},
    "AskForEverything": {"batch": 13, "is_whole": True, "reason": "everything was asked for", "rows": {}},
    "Maintain": {},
    "Notify": {"MessageId": "1"},
    "NotifyWhatWasAsked": {"MessageId": "1"},
}


@pytest.fixture
def machine(prod):
    parts = only(prod["pipeline"].find_resources("AWS::StepFunctions::StateMachine"))["DefinitionString"]["Fn::Join"][1]
    return json.loads("".join(part if isinstance(part, str) else f"<{part['Fn::GetAtt'][0]}>" for part in parts))


@pytest.fixture(params=[walk_strictly, walk_as_the_emulator])
def run(request, machine):
    return lambda event, **answers: request.param(machine, event, Answers(**GOOD | answers))


@pytest.mark.parametrize("event", ["s3-manifest-created", "scheduler-recover"])
def test_the_state_machine_moves_a_batch_for_the_rule_and_for_the_recovery_schedule(run, event):
    walk = run(EVENTS[event])
    assert walk.tasks == ["CheckPending", "LookForARun", "Transform", "Load"] and walk.failure is None


def test_the_state_machine_maintains_the_lake_for_the_weekly_schedule(run):
    assert run(EVENTS["scheduler-maintain"]).tasks == ["Maintain"]


def failure(name):
    """A recorded failure, as Step Functions hands it to the definition."""
    cause = EVENTS[name]
    return Failure(cause.get("errorType", "States.TaskFailed"), json.dumps(cause))


def test_a_recorded_failure_of_the_job_that_a_full_batch_mends_has_everything_read(run):
    walk = run(EVENTS["s3-manifest-created"], Transform=failure("glue-run-failed"))
    assert "AskForEverything" in walk.tasks
    assert "3 keys are missing" in execution_error({"status": "FAILED", "cause": walk.failure.cause})


def test_a_recorded_failure_of_the_job_that_it_does_not_mend_has_not(run):
    walk = run(EVENTS["s3-manifest-created"], Transform=failure("glue-run-timed-out"))
    assert "AskForEverything" not in walk.tasks and "LoadWhatIsPublished" in walk.tasks
    assert walk.failure.error == "States.TaskFailed" and "TIMEOUT" in walk.failure.cause


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lambda-function-failed", "DatabaseUnreachableError: The warehouse does not answer within 10 s."),
        ("lambda-timed-out", "Sandbox.Timedout: RequestId"),
    ],
)
def test_a_recorded_failure_of_a_function_fails_the_execution_with_its_own_words(run, name, message):
    walk = run(EVENTS["s3-manifest-created"], Load=failure(name))
    assert walk.failure.error == EVENTS[name]["errorType"]
    assert execution_error({"status": "FAILED", "cause": walk.failure.cause}).startswith(message)


def test_recorded_alarms_are_alarms_of_the_platform(prod):
    """Name, metric and dimensions are what the template says; so what reads them reads what is sent."""
    alarms = {
        a["Properties"]["AlarmName"]: a["Properties"]
        for a in prod["alerting"].find_resources("AWS::CloudWatch::Alarm").values()
    }
    event = EVENTS["alarm-state-changed"]["detail"]
    (sent,) = [m["metricStat"]["metric"] for m in event["configuration"]["metrics"]]
    told = json.loads(EVENTS["sns-message"]["Records"][0]["Sns"]["Message"])
    alarm = alarms[event["alarmName"]]
    assert told["AlarmName"] == event["alarmName"] and told["NewStateValue"] == event["state"]["value"] == "ALARM"
    assert alarm["Namespace"] == sent["namespace"] == told["Trigger"]["Namespace"] == NAMESPACE
    assert alarm["MetricName"] == sent["name"] == told["Trigger"]["MetricName"]
    dimensions = {d["Name"]: d["Value"] for d in alarm["Dimensions"]}
    assert dimensions == sent["dimensions"] == {d["name"]: d["value"] for d in told["Trigger"]["Dimensions"]}
