"""What people are told: once for each failure, in plain words, on which they can act, and nothing secret."""

import inspect
import json
import string
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

import contracts.errors
import glue_jobs.errors
import lambdas.errors
from contracts.alarms import BACKSTOP, Alarm
from contracts.protocol.bucket import Bucket
from contracts.protocol.object_layout import NOTICE_PREFIX, load_key, notice_key, publication_key
from contracts.protocol.steps import Stage
from lambdas.errors import EventError
from lambdas.notify.causes import ALARMS, CAUSES, cause_of
from lambdas.notify.happening import AlarmChange, Failure, parse
from lambdas.notify.incident import MOST, SHOWN_BY, Incident, Kind, Subject, Telling
from lambdas.notify.message import compose
from lambdas.notify.settings import NotifySettings
from local.home import ROOT
from tests.support.people import EXECUTION, People, alarm_change, failed_invocation, function_failure, job_failure

BEGIN = datetime(2026, 11, 26, 21, 0, tzinfo=UTC)
LOGIN = "The warehouse refused the login in secret arn:aws:secretsmanager:x. Correct its username and password."


@pytest.fixture
def people(monkeypatch):
    return People(monkeypatch, BEGIN)


def wait(people, **time):
    people.at += timedelta(**time)


# --- what it says


def test_a_failed_load_is_told_with_all_that_a_person_needs(people):
    people.objects |= {publication_key(n): b"" for n in (1, 2, 3)} | {load_key(1): b"", load_key(2): b""}
    people.hear(function_failure("load", "LoginRefusedError", LOGIN))
    (sent,) = people.sent
    assert sent.subject == "totesys-prod load fails (batch 3): the warehouse refused the login"
    lines = dict(line.split(": ", 1) for line in sent.mail.splitlines())
    console = "https://eu-west-2.console.aws.amazon.com"
    assert lines["Environment"] == "prod" and lines["Stage"] == "load" and lines["Batch"] == "3"
    assert lines["Cause"] == "the warehouse refused the login (LoginRefusedError)" and lines["Detail"] == LOGIN
    assert "last good state" in lines["What is safe"] and "Waiting is safe" in lines["What is safe"]
    assert lines["What to do"] == "Store the new password in the secret."
    assert lines["Runbook"] == "docs/runbooks/load-failed.md"
    assert lines["Log"] == (
        f"{console}/cloudwatch/home?region=eu-west-2#logsV2:log-groups/log-group/$252Faws$252Flambda$252Ftotesys-prod-load"
    )
    assert lines["Execution"] == f"{console}/states/home?region=eu-west-2#/v2/executions/details/{EXECUTION}"
    assert lines["Since"] == "2026-11-26 21:00 UTC"
    assert sent.sms == (
        "totesys-prod load fails, batch 3: the warehouse refused the login. Nothing lost. "
        "Do: store the new password in the secret."
    )


def test_a_failed_job_is_told_by_its_own_error_and_by_the_batch_that_waits(people):
    people.objects[publication_key(1)] = b""
    people.hear(job_failure("LakeReconciliationError: Batch 2, table payment: keys differ."))
    (sent,) = people.sent
    assert sent.subject == "totesys-prod transform fails (batch 2): lake and source do not agree"
    assert (
        "Detail: Batch 2, table payment: keys differ." in sent.mail and "#/job/totesys-prod-transform/runs" in sent.mail
    )
    assert "docs/runbooks/publish-failed.md" in sent.mail and "States.TaskFailed" not in sent.mail + sent.sms


def test_a_full_reading_that_was_asked_for_is_told(people):
    people.hear({**job_failure("IngestionDamagedError: x"), "asked": 4, "mended": True})
    assert "A full reading of the source was asked for (batch 4)" in people.sent[0].mail
    people.objects.clear()
    people.hear({**job_failure("IngestionDamagedError: x"), "asked": None, "mended": True})
    assert "asked for (no batch yet)" in people.sent[1].mail


def test_a_source_that_cannot_be_reached_is_told_by_what_lambda_reports(people):
    people.hear(failed_invocation("DatabaseUnreachableError", "The source in secret arn:x cannot be reached."))
    (sent,) = people.sent
    assert sent.subject == "totesys-prod extract fails: the source cannot be reached"
    assert "Detail: The source in secret arn:x cannot be reached." in sent.mail and "Batch: none was begun" in sent.mail


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (failed_invocation("", "2026-11-26T21:15:00Z 1 Task timed out after 900.00 seconds"), "took too long"),
        (failed_invocation("Sandbox.Timedout", "RequestId: 1 Error: Task timed out"), "took too long"),
        (failed_invocation("Runtime.OutOfMemory", "RequestId: 1 Error: Runtime exited"), "no memory left"),
        (failed_invocation("", "RequestId: 1 Process exited before completing request"), "was killed"),
        (failed_invocation("", condition="EventAgeExceeded"), "did not start it"),
        (job_failure("", "TIMEOUT"), "took too long"),
        (job_failure("The run was killed by signal 9."), "was killed"),
        (job_failure("glue_jobs.errors.ConflictError: another run"), "another run wrote the same table"),
        (function_failure("load", "Sandbox.Timedout", "Task timed out after 900.00 seconds"), "took too long"),
        ({"stage": "load", "error": "Lambda.ServiceException", "cause": "no JSON", "execution": ""}, "unexpected"),
        ({"stage": "load", "error": "ConflictError", "cause": "[1]", "execution": ""}, "another run wrote"),
    ],
)
def test_what_ends_without_an_error_of_ours_is_explained_as_well(people, event, said):
    people.hear(event)
    assert said in people.sent[0].subject


def test_g12_a_message_of_somebody_elses_error_is_not_passed_on(people):
    secret = 'connection to server at "db.internal" (10.0.0.7), user "etl" failed: row (42, Ann Jones)'
    people.hear(function_failure("load", "OperationalError", secret))
    people.hear(failed_invocation("ValueError", secret))
    people.hear(job_failure(f"org.postgresql.util.PSQLException: {secret}"))
    text = " ".join(sent.subject + sent.mail + sent.sms for sent in people.sent)
    assert len(people.sent) == 3 and "unexpected: OperationalError" in text
    assert not [word for word in ("db.internal", "10.0.0.7", "etl", "Ann", "Jones") if word in text]


def classes(module):
    return {name for name, found in inspect.getmembers(module, inspect.isclass) if issubclass(found, Exception)}


def test_every_error_of_ours_has_a_cause_in_plain_words():
    raised = classes(lambdas.errors) | classes(contracts.errors) | classes(glue_jobs.errors)
    assert raised <= CAUSES.keys()
    assert CAUSES.keys() - raised == {"TimedOut", "Killed", "NotStarted"}
    assert ALARMS.keys() == {*Alarm}


def test_every_error_is_explained_in_the_runbook_that_its_message_names():
    books = {
        name: (ROOT / "docs/runbooks" / f"{name}-failed.md").read_text() for name in ("extract", "load", "publish")
    }
    explained = " ".join(books.values())
    bases = {"PlatformError", "ContractError", "DuplicateNumberError", "AnotherLoadError", "NewerDocumentError"}
    assert [name for name in CAUSES if name.endswith("Error") and name not in explained and name not in bases] == []


def every_message():
    settings = NotifySettings(
        deployment="totesys-" + 11 * "e",
        processed_bucket="b",
        topic_arn="t",
        runbooks="https://git.example.com/totesys/docs/runbooks/",
        aws_region="eu-west-2",
    )
    happenings = [
        *(Failure(stage, error, execution=EXECUTION) for stage in Stage for error in CAUSES),
        *(AlarmChange(alarm, True) for alarm in Alarm if alarm is not BACKSTOP),
    ]
    for happening in happenings:
        subjects = [Subject(happening.stage)] if isinstance(happening, Failure) else [*Subject]
        for subject in subjects:
            incident = Incident(subject, BEGIN.isoformat(), True, (), ())
            for kind in Kind:
                yield happening, compose(settings, Telling(kind, incident), happening, 12345)


def test_each_message_fits_and_is_ascii_and_says_cause_and_remedy():
    """With the longest name that a deployment may have."""
    seen = 0
    for happening, message in every_message():
        for text, most in ((message.subject, 100), (message.sms, 160)):
            assert len(text) <= most and set(text) <= set(string.printable) - set("\n\r\t"), text
        if "recovered" not in message.subject:
            assert "..." not in message.sms, message.sms
            cause = cause_of(happening.error) if isinstance(happening, Failure) else ALARMS[happening.alarm]
            assert message.sms.endswith(f"Do: {cause.remedy}."), message.sms
        assert "{" not in (message.subject + message.mail + message.sms).replace("with {}", "")
        seen += 1
    assert seen > 500


def test_an_error_with_a_name_beyond_ascii_or_all_bounds_still_fits(people):
    people.hear(function_failure("load", "Ünexpected" + 200 * "x", "no"))
    (sent,) = people.sent
    assert len(sent.subject) <= 100 and len(sent.sms) <= 160 and sent.subject.isascii() and sent.sms.isascii()


# --- how often


def test_a_failure_that_goes_on_is_told_once_and_then_every_eight_hours(people):
    for _ in range(24 * 12):
        people.hear(function_failure("load", "DatabaseUnreachableError"))
        wait(people, minutes=5)
    assert [sent.at - BEGIN for sent in people.sent] == [timedelta(hours=hours) for hours in (0, 8, 16)]
    assert "still fails" in people.sent[1].subject and "still fails" in people.sent[1].sms
    assert "Since: 2026-11-26 21:00 UTC" in people.sent[2].mail


def test_another_cause_is_told_when_the_first_has_been_read(people):
    people.hear(function_failure("load", "WarehouseBusyError"))
    wait(people, minutes=5)
    assert people.hear(function_failure("load", "ReconciliationError")) == ""
    wait(people, minutes=60)
    assert "do not agree" in people.hear(function_failure("load", "ReconciliationError"))
    wait(people, minutes=60)
    assert people.hear(function_failure("load", "WarehouseBusyError")) == ""


def test_alarms_that_follow_from_what_was_told_are_silent_and_the_end_is_told_once_when_all_are_over(people):
    people.hear(function_failure("load", "DatabaseUnreachableError"))
    follow = ["load-failed", "publish-failed", "not-fresh"]
    assert [people.hear(alarm_change(name, "ALARM")) for name in follow] == ["", "", ""]
    wait(people, hours=2)
    assert [people.hear(alarm_change(name, "OK")) for name in follow[1:]] == ["", ""]
    assert people.hear(alarm_change("load-failed", "OK")) == "totesys-prod load recovered: no failure for a while"
    assert people.hear(alarm_change("load-failed", "OK")) == ""
    assert len(people.sent) == 2 and "It began at 2026-11-26 21:00 UTC" in people.sent[1].mail
    assert people.hear(function_failure("load", "DatabaseUnreachableError")), "what fails again is told"


@pytest.mark.parametrize("alarm", [alarm for alarm in Alarm if alarm is not BACKSTOP])
def test_an_alarm_that_nothing_explains_is_told_with_its_own_runbook_and_once(people, alarm):
    assert people.hear(alarm_change(alarm, "ALARM"))
    assert people.hear(alarm_change(alarm, "ALARM")) == ""
    (sent,) = people.sent
    assert f"Runbook: docs/runbooks/{alarm}.md" in sent.mail and f"(alarm {alarm})" in sent.mail
    assert "recovered" in people.hear(alarm_change(alarm, "OK"))


def test_a_cause_that_comes_after_its_alarm_is_told_at_once(people):
    people.hear(alarm_change("extract-failed", "ALARM"))
    wait(people, minutes=1)
    assert "refused the login" in people.hear(failed_invocation("LoginRefusedError"))


def test_alarms_of_another_deployment_and_states_without_meaning_are_silent(people):
    assert people.hear(alarm_change("load-failed", "ALARM", "totesys-prod-2")) == ""
    assert people.hear(alarm_change("load-failed", "INSUFFICIENT_DATA")) == ""
    assert people.hear(alarm_change("unheard-of", "ALARM")) == "" and people.objects == {}


def test_the_alarm_of_undelivered_events_tells_by_itself(people):
    assert people.hear(alarm_change(BACKSTOP, "ALARM")) == "" == people.hear(alarm_change(BACKSTOP, "OK"))


def test_what_fails_and_recovers_by_turns_all_day_is_told_six_times_and_the_sixth_says_so(people):
    for _ in range(24 * 60 // 40):
        people.hear(function_failure("load", "WarehouseBusyError"))
        people.hear(alarm_change("load-failed", "ALARM"))
        wait(people, minutes=35)
        people.hear(alarm_change("load-failed", "OK"))
        wait(people, minutes=5)
    assert len(people.sent) == MOST == 6
    assert ["last message" in sent.mail for sent in people.sent] == [*[False] * 5, True]
    wait(people, hours=24)
    assert people.hear(function_failure("load", "WarehouseBusyError")), "the next day is another one"


def test_what_nobody_was_told_of_for_a_day_is_told_as_new(people):
    """The alarm that would have ended it never came."""
    people.hear(function_failure("maintenance", "StorageError"))
    wait(people, days=7)
    assert "still" not in people.hear(function_failure("maintenance", "StorageError"))


def test_a_failure_beside_another_one_is_told_and_reminders_do_not_add_up(people):
    for _ in range(24 * 4):
        people.hear(function_failure("load", "DatabaseUnreachableError"))
        people.hear(failed_invocation("DatabaseUnreachableError"))
        wait(people, minutes=15)
    assert len(people.sent) == 4


# --- races, and what fails


def test_g2_of_two_runs_that_hear_the_same_at_the_same_moment_one_tells(people, monkeypatch):
    """The conditional put takes the same bytes for its own: two runs must write others."""
    event, plain, others = function_failure("load", "StorageError"), Bucket.put_once, []

    def late(*arguments):
        if not others:
            others.append(None)
            others[0] = people.hear(event)
        return plain(*arguments)

    monkeypatch.setattr(Bucket, "put_once", late)
    assert people.hear(event) == "" and others[0]
    notices = [key for key in people.objects if key.startswith(NOTICE_PREFIX)]
    assert len(people.sent) == 1 and notices == [notice_key(1)]


def test_a_message_that_could_not_be_sent_fails_the_run_and_the_next_failure_is_told(people):
    people.is_deaf = True
    with pytest.raises(ClientError):
        people.hear(function_failure("load", "StorageError"))
    people.is_deaf = False
    assert people.hear(function_failure("load", "StorageError"))


def test_a_damaged_memory_is_forgotten_and_people_are_told(people):
    people.hear(function_failure("load", "StorageError"))
    (key,) = [key for key in people.objects if key.startswith(NOTICE_PREFIX)]
    people.objects[key] = b"{"
    assert people.hear(function_failure("load", "StorageError")) and len(people.sent) == 2


@pytest.mark.parametrize("event", [{}, {"stage": "lod", "error": "", "cause": "", "execution": ""}, {"detail": {}}])
def test_an_event_of_nobody_is_refused(people, event):
    with pytest.raises(EventError, match="Nobody was told"):
        people.hear(event)


def test_the_state_machines_recorded_failures_are_read():
    """As Step Functions catches them: a function's report, and a run's with capital letters."""
    told = parse(function_failure("load", "PrivilegeError", "The login\nmay not."), "totesys-prod")
    assert told == Failure(Stage.LOAD, "PrivilegeError", "The login may not.", EXECUTION)
    assert parse(json.loads(json.dumps(alarm_change("not-fresh", "OK"))), "totesys-prod") == AlarmChange(
        Alarm.NOT_FRESH, False
    )


def test_every_alarm_shows_a_subject():
    assert set().union(*SHOWN_BY.values()) == {*Alarm} - {BACKSTOP} and SHOWN_BY.keys() == {*Subject}
