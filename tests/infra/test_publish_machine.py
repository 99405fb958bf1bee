"""The state machine, walked through: what it calls, with what, and how it ends."""

import json

import pytest

from cdk_app.publish_definition import LEFT_TO_EVENT_SECONDS, LOOK_AGAIN_SECONDS
from cdk_app.publish_failures import MENDED_BY_EVERYTHING
from contracts.protocol.steps import FailureEvent, LoadAnswer, Stage
from contracts.protocol.strict_json import plain, read
from tests.support.states import EXECUTION, Answers, Failure, walk_as_the_emulator, walk_strictly
from tools.cost import measured

PENDING = {"batches": 3, "published": 1, "untransformed": 2, "full_pending": False}
QUIET = {"batches": 1, "published": 1, "untransformed": 0, "full_pending": False}
LOADED = {"loaded": [2], "last": 2, "keys_wanted": [], "wanted": 0}
EVERYTHING = {"batch": 4, "is_whole": True, "reason": "everything was asked for", "rows": {}}
GOOD = {
    "CheckPending": PENDING,
    "LookForARun": {"JobRuns": [{"JobRunState": "SUCCEEDED", "Id": "jr_1"}]},
    "Transform": {"JobRunState": "SUCCEEDED"},
    "Load": LOADED,
    "LoadWhatIsPublished": LOADED,
    "AskForEverything": EVERYTHING,
    "AskForKeys": {"batch": 3},
    "ListFiles": {},
    "Maintain": {},
    "Replay": {},
    "Rebuild": {"done": True, "last": 2},
    "DropFromLake": {},
    "DropFromWarehouse": {"dropped": ["fact_payment.note"]},
    "Notify": {"told": "totesys-prod load fails"},
    "NotifyWhatWasAsked": {"told": ""},
    "NotifyTopic": {"MessageId": "1"},
}
FAILED_TRANSFORM = ["CheckPending", "LookForARun", "Transform", "LoadWhatIsPublished"]


def job_failure(message):
    """What ``glue:startJobRun.sync`` fails with: the job run, as text."""
    run = {"JobName": "totesys-prod-transform", "JobRunState": "FAILED", "ErrorMessage": message, "Arguments": {}}
    return Failure("States.TaskFailed", json.dumps(run))


@pytest.fixture
def machine(prod):
    """The deployed definition, its references by the logical name of what they refer to."""
    (resource,) = prod["pipeline"].find_resources("AWS::StepFunctions::StateMachine").values()
    parts = resource["Properties"]["DefinitionString"]["Fn::Join"][1]
    return json.loads("".join(part if isinstance(part, str) else f"<{part['Fn::GetAtt'][0]}>" for part in parts))


@pytest.fixture(params=[walk_strictly, walk_as_the_emulator])
def run(request, machine):
    """Execute the machine with an event; answers that are not given are good."""
    return lambda event=None, **answers: request.param(machine, event or {}, Answers(**GOOD | answers))


def test_a_pending_batch_is_transformed_and_loaded(run, machine):
    walk = run()
    assert walk.tasks == ["CheckPending", "LookForARun", "Transform", "Load"] and walk.failure is None
    check, look, transform, load = (parameters for _, parameters in walk.calls)
    assert look == {"JobName": "totesys-prod-transform", "MaxResults": 1} and not walk.waited
    assert check["FunctionName"] == load["FunctionName"] and "Load" in load["FunctionName"]
    assert check["Payload"] == {"step": "check_pending"} and load["Payload"] == {"step": "load"}
    assert transform == {"JobName": "totesys-prod-transform"}
    assert machine["States"]["Transform"]["Resource"] == "arn:aws:states:::glue:startJobRun.sync"


def test_without_a_pending_batch_no_job_runs_and_publications_are_loaded(run):
    assert run(CheckPending=QUIET).tasks == ["CheckPending", "Load"]


def test_g3_a_load_that_has_more_to_do_is_called_again_and_then_the_way_goes_on(run):
    further = {**LOADED, "loaded": [], "more": True, "keys_wanted": ["payment"], "wanted": 1}
    walk = run(Load=[further, further, {**LOADED, "more": False}])
    assert walk.tasks == ["CheckPending", "LookForARun", "Transform", "Load", "Load", "Load"] and walk.failure is None
    assert walk.parameters("Load") == [walk.parameters("Load")[0]] * 3


def test_g3_a_load_that_fails_on_the_way_is_not_called_for_ever(run):
    walk = run(Load=[{**LOADED, "more": True}, Failure("PublicationTooLargeError", "{}")])
    assert walk.tasks == ["CheckPending", "LookForARun", "Transform", "Load", "Load", "Notify"]


def test_the_bill_counts_each_state_of_an_execution(machine):
    published = walk_strictly(machine, {}, Answers(**GOOD))
    quiet = walk_strictly(machine, {"trigger": "schedule"}, Answers(**GOOD | {"CheckPending": QUIET}))
    assert (len(published.states), len(quiet.states)) == (measured.TRANSITIONS, measured.IDLE_TRANSITIONS)


def test_g6_key_lists_are_asked_for_when_the_lake_shows_keys_that_the_source_has_not(run):
    walk = run(Load={**LOADED, "keys_wanted": ["payment"], "wanted": 1})
    (asked,) = walk.parameters("AskForKeys")
    assert asked["Payload"] == {"trigger": "reconciliation", "keys": ["payment"]} and "Extract" in asked["FunctionName"]
    assert walk.output["keys"]["result"]["batch"] == 3


def test_while_nobody_has_filled_the_warehouse_s_secret_the_machine_ends_well(run):
    waiting = LoadAnswer(
        (), 0, False, 60.0, 0, (), 0, False, reason="waiting for the secret: Secret s is not filled yet."
    )
    walk = run(Load=plain(waiting))
    assert walk.tasks == ["CheckPending", "LookForARun", "Transform", "Load"] and walk.failure is None
    assert "waiting for the secret" in walk.output["load"]["result"]["reason"]


def runs(*states):
    """Answers of Glue: the newest run in each of these states, one after the other."""
    return [{"JobRuns": [{"JobRunState": state, "Id": "jr_2"}]} for state in states]


def test_no_run_is_queued_behind_one_that_takes_what_is_pending(run):
    at_work = ("STARTING", "RUNNING", "WAITING", "STOPPING")
    walk = run(CheckPending=[PENDING] * 4 + [QUIET], LookForARun=runs(*at_work))
    assert walk.tasks == ["CheckPending", "LookForARun"] * 4 + ["CheckPending", "Load"]
    assert walk.waited == 4 * LOOK_AGAIN_SECONDS and walk.failure is None


@pytest.mark.parametrize("ended", ["SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR"])
def test_g2_what_a_run_has_left_is_transformed_when_it_has_ended(run, ended):
    walk = run(CheckPending=[PENDING, PENDING], LookForARun=runs("RUNNING", ended))
    assert walk.tasks == [*["CheckPending", "LookForARun"] * 2, "Transform", "Load"]


@pytest.mark.parametrize("answer", [{"JobRuns": []}, Failure("Glue.ThrottlingException", "slow down")])
def test_g3_where_no_run_can_be_told_the_job_is_started(run, answer):
    walk = run(LookForARun=answer)
    assert walk.tasks == ["CheckPending", "LookForARun", "Transform", "Load"] and walk.failure is None


@pytest.mark.parametrize(
    ("event", "waits", "is_left"),
    [
        ({"trigger": "schedule"}, LEFT_TO_EVENT_SECONDS - 1, True),
        ({"trigger": "schedule"}, LEFT_TO_EVENT_SECONDS, False),
        ({"trigger": "schedule"}, None, False),  # it cannot be read, or an earlier release answers
        ({"trigger": "window"}, 1, False),
        ({"source": "aws.s3"}, 1, False),
        ({}, 1, False),
    ],
)
def test_the_recovery_schedule_leaves_a_batch_of_the_last_minutes_to_its_event(run, event, waits, is_left):
    answer = PENDING if waits is None else {**PENDING, "waits_seconds": waits}
    further = [] if is_left else ["LookForARun", "Transform"]
    assert run(event, CheckPending=answer).tasks == ["CheckPending", *further, "Load"]


@pytest.mark.parametrize("error", ["LakeReconciliationError", "IngestionDamagedError", "DamagedDocumentError"])
def test_g3_a_batch_that_cannot_be_transformed_has_everything_read_once(run, error):
    failure = job_failure(f"{error}: Batch 2, table payment: 'a' \"b\" {{c}}.")
    walk = run(Transform=failure)
    assert walk.tasks == [*FAILED_TRANSFORM, "AskForEverything", "NotifyWhatWasAsked"]
    (asked,) = walk.parameters("AskForEverything")
    assert (
        asked["Payload"] == {"trigger": "reconciliation", "read": "everything"} and "Extract" in asked["FunctionName"]
    )
    (told,) = walk.parameters("NotifyWhatWasAsked")
    assert "Notify" in told["FunctionName"]
    expected = FailureEvent("transform", failure.error, failure.cause, EXECUTION, asked=4, mended=True)
    assert read(FailureEvent, told["Payload"], "told") == expected
    assert (walk.failure.error, walk.failure.cause) == (failure.error, failure.cause)


def test_the_errors_that_a_full_batch_mends_are_errors_that_the_job_raises():
    """The machine knows them by name only."""
    from contracts.errors import DamagedDocumentError
    from glue_jobs.errors import IngestionDamagedError, LakeReconciliationError

    raised = (LakeReconciliationError, IngestionDamagedError, DamagedDocumentError)
    assert {error.__name__ for error in raised} == set(MENDED_BY_EVERYTHING)


def test_g3_everything_is_not_asked_for_again_while_a_full_batch_waits(run):
    walk = run(
        CheckPending={**PENDING, "full_pending": True}, Transform=job_failure("LakeReconciliationError: keys differ")
    )
    assert walk.tasks == [*FAILED_TRANSFORM, "Notify"] and walk.failure.error == "States.TaskFailed"


@pytest.mark.parametrize(
    "message",
    [
        "ConflictError: another run",
        "CustodyError: another lake",
        "TransformError: Spark",
        "The run was killed by signal 9.",
    ],
)
def test_an_error_that_a_full_batch_does_not_mend_is_only_told(run, message):
    walk = run(Transform=job_failure(message))
    assert walk.tasks == [*FAILED_TRANSFORM, "Notify"]
    (told,) = walk.parameters("Notify")
    assert message in told["Payload"]["cause"] and message in walk.failure.cause


def test_an_answer_of_an_earlier_release_asks_for_nothing(run):
    answer = {name: value for name, value in PENDING.items() if name != "full_pending"}
    walk = run(CheckPending=answer, Transform=job_failure("LakeReconciliationError: keys differ"))
    assert walk.tasks == [*FAILED_TRANSFORM, "Notify"]


def test_a_warehouse_that_is_down_does_not_keep_the_lake_from_being_mended(run):
    failure = job_failure("IngestionDamagedError: a part is missing")
    walk = run(Transform=failure, LoadWhatIsPublished=Failure("DatabaseUnreachableError", "{}"))
    assert walk.tasks == [*FAILED_TRANSFORM, "AskForEverything", "NotifyWhatWasAsked"]
    assert walk.failure.cause == failure.cause


def test_a_source_that_cannot_be_read_either_does_not_hide_the_jobs_error(run):
    failure = job_failure("IngestionDamagedError: a part is missing")
    walk = run(Transform=failure, AskForEverything=Failure("LoginRefusedError", "{}"))
    assert walk.tasks == [*FAILED_TRANSFORM, "AskForEverything", "Notify"]
    assert "a part is missing" in walk.parameters("Notify")[0]["Payload"]["cause"]
    assert walk.failure.cause == failure.cause


@pytest.mark.parametrize(("mode", "take_over"), [("rebuild", False), ("take_over", True)])
def test_g11_a_rebuild_takes_a_warehouse_over_only_when_it_is_asked_to(run, mode, take_over):
    again = {"done": False, "last": 1}
    walk = run({"mode": mode, "take_over": not take_over}, Rebuild=[again, again, GOOD["Rebuild"]])
    assert walk.tasks == ["ListFiles", "Rebuild", "Rebuild", "Rebuild", "Load"]
    assert walk.parameters("ListFiles") == [{"JobName": "totesys-prod-maintenance", "Arguments": {"--mode": "list"}}]
    for step in walk.parameters("Rebuild"):
        assert step["Payload"] == {"step": "rebuild", "take_over": take_over} and "Load" in step["FunctionName"]


def test_columns_are_dropped_from_the_warehouse_and_then_from_the_lake(run):
    named = "fact_payment.note,dim_staff.note"
    walk = run({"mode": "drop_columns", "columns": named})
    assert walk.tasks == ["DropFromWarehouse", "DropFromLake"]
    ((_, load), (_, job)) = walk.calls
    assert job["JobName"] == "totesys-prod-maintenance"
    assert job["Arguments"] == {"--mode": "drop_columns", "--columns": named}
    assert load["Payload"] == {"step": "drop_columns", "columns": named}


def test_maintenance_and_replays_run_in_a_job_of_their_own(run):
    assert run({"mode": "maintain"}).calls == [
        ("Maintain", {"JobName": "totesys-prod-maintenance", "Arguments": {"--mode": "maintain"}})
    ]
    ((state, parameters),) = run({"from": 3, "to": 9, "into": "totesys_replay"}).calls
    arguments = {"--mode": "replay", "--from": "3", "--to": "9", "--into": "totesys_replay"}
    assert (state, parameters["Arguments"]) == ("Replay", arguments)


WAYS = {
    "CheckPending": {},
    "Transform": {},
    "Load": {},
    "AskForKeys": {},
    "Maintain": {"mode": "maintain"},
    "Replay": {"from": 1, "to": 2, "into": "totesys_replay"},
    "DropFromLake": {"mode": "drop_columns", "columns": "fact_payment.note"},
    "DropFromWarehouse": {"mode": "drop_columns", "columns": "fact_payment.note"},
    "ListFiles": {"mode": "rebuild"},
    "Rebuild": {"mode": "take_over"},
}


#: Where people are told that the failure is.
STAGES = {
    "CheckPending": Stage.CHECK,
    "Transform": Stage.TRANSFORM,
    "Load": Stage.LOAD,
    "AskForKeys": Stage.EXTRACT,
    "Rebuild": Stage.LOAD,
    "DropFromWarehouse": Stage.LOAD,
    **dict.fromkeys(("Maintain", "Replay", "ListFiles", "DropFromLake"), Stage.MAINTENANCE),
}


@pytest.mark.parametrize(("state", "event"), WAYS.items())
def test_every_failure_is_told_and_fails_the_execution_with_its_own_error(run, state, event):
    wants = {"Load": {**LOADED, "keys_wanted": ["payment"], "wanted": 1}} if state == "AskForKeys" else {}
    walk = run(event, **wants, **{state: Failure("SomeError", "the cause")})
    (told,) = walk.parameters("Notify")
    expected = FailureEvent(STAGES[state], "SomeError", "the cause", EXECUTION)
    assert read(FailureEvent, told["Payload"], "told") == expected and "Notify" in told["FunctionName"]
    assert (walk.failure.error, walk.failure.cause) == ("SomeError", "the cause")


@pytest.mark.parametrize("failing", ["Notify", "NotifyWhatWasAsked"])
@pytest.mark.parametrize("topic", [GOOD["NotifyTopic"], Failure("SnsError", "no")], ids=["topic", "no topic"])
def test_a_notify_function_that_fails_leaves_the_topic_and_hides_no_error(run, failing, topic):
    message = "IngestionDamagedError: x" if failing == "NotifyWhatWasAsked" else "TransformError: x"
    walk = run(Transform=job_failure(message), **{failing: Failure("StorageError", "no"), "NotifyTopic": topic})
    assert walk.tasks[-2:] == [failing, "NotifyTopic"] and message in walk.failure.cause
    (told,) = walk.parameters("NotifyTopic")
    assert told["TopicArn"].endswith(":totesys-prod-alarms") and told["Subject"] == "totesys-prod-publish failed"
    assert f"Execution {EXECUTION} failed: States.TaskFailed." in told["Message"]


def test_what_is_tried_again_waits_longer_each_time_up_to_a_bound_and_by_chance(machine):
    retries = {name: state["Retry"] for name, state in machine["States"].items() if "Retry" in state}
    assert retries.keys() == {name for name, state in machine["States"].items() if state["Type"] == "Task"} - {
        "NotifyTopic",  # the last word
        "LookForARun",  # the job is started where its runs cannot be told
    }
    for retry in (retry for found in retries.values() for retry in found):
        assert retry["JitterStrategy"] == "FULL" and retry["BackoffRate"] > 1
        assert retry["IntervalSeconds"] < retry["MaxDelaySeconds"] <= 300
    (busy,) = (r for r in retries["AskForKeys"] if r["ErrorEquals"] == ["Lambda.TooManyRequestsException"])
    assert busy["MaxAttempts"] * busy["MaxDelaySeconds"] / 2 > 900, "another extraction takes 15 minutes at most"


def test_every_state_is_on_a_way_that_a_test_walks(machine):
    tasks = {name for name, state in machine["States"].items() if state["Type"] == "Task"}
    assert (
        tasks
        == GOOD.keys()
        == WAYS.keys()
        | {"LookForARun", "LoadWhatIsPublished", "AskForEverything", "Notify", "NotifyWhatWasAsked", "NotifyTopic"}
    )
    reachable, ahead = set(), {machine["StartAt"]}
    while ahead:
        name = ahead.pop()
        reachable.add(name)
        state = machine["States"][name]
        further = (*state.get("Choices", ()), *state.get("Catch", ()))
        ahead |= {state.get("Next"), state.get("Default"), *(other["Next"] for other in further)} - reachable - {None}
    assert reachable == set(machine["States"])
