"""A day's outage, minute by minute: the deployed alarms over its metrics, and the real notify function, and who is told what."""

import copy
from datetime import UTC, datetime, timedelta

import pytest

from contracts.metrics import NAMESPACE, OLDEST_UNLOADED_BATCH_AGE, SOURCE_CHECKED
from tests.support.cloudwatch import AlarmModel, Series
from tests.support.people import People, alarm_change, failed_invocation, function_failure

BEGIN = datetime(2026, 11, 26, 2, 13, tzinfo=UTC)
DAY = timedelta(hours=24)
#: For so long before and after the outage all is well.
AROUND = timedelta(hours=3)
WAREHOUSE = "The warehouse in secret arn:aws:secretsmanager:eu-west-2:111111111111:secret:totesys-prod/warehouse cannot be reached."
SOURCE = (
    "The source in secret arn:aws:secretsmanager:eu-west-2:111111111111:secret:totesys-prod/source cannot be reached."
)


class Simulation:
    """What a deployment does each minute, with what of it fails."""

    def __init__(self, alarms, people, *, extract_minutes, recovery_minutes):
        self.alarms, self.people, self.series = alarms, people, Series()
        self.extract_minutes, self.recovery_minutes = extract_minutes, recovery_minutes
        self.waiting_since = None

    def run(self, fails, end):
        """Let time pass until `end`; `fails` tells, by a moment, what is down."""
        minute = 0
        while self.people.at < end:
            down = fails(self.people.at)
            if minute % self.extract_minutes == 0:
                self._extract(down)
            if minute % self.extract_minutes == 3 or minute % self.recovery_minutes == 7:
                self._publish(down)
            for name, alarm in self.alarms.items():
                if alarm.evaluate(self.series, self.people.at):
                    self.people.hear(alarm_change(name, alarm.state))
            self.people.at += timedelta(minutes=1)
            minute += 1

    def _extract(self, down):
        at = self.people.at
        age = (at - self.waiting_since).total_seconds() if self.waiting_since else 0
        self.series.put(NAMESPACE, OLDEST_UNLOADED_BATCH_AGE, "extract", at, age)
        self.series.put("AWS/Lambda", "Errors", "extract", at, "source" in down)
        if "source" in down:
            self.people.hear(failed_invocation("DatabaseUnreachableError", SOURCE))
        else:
            self.series.put(NAMESPACE, SOURCE_CHECKED, "extract", at)
            self.waiting_since = self.waiting_since or at

    def _publish(self, down):
        at, is_down = self.people.at, "warehouse" in down
        self.series.put("AWS/Lambda", "Errors", "load", at, is_down)
        self.series.put("AWS/States", "ExecutionsFailed", "publish", at, is_down)
        if is_down:
            self.people.hear(function_failure("load", "DatabaseUnreachableError", WAREHOUSE))
        else:
            self.waiting_since = None


@pytest.fixture(params=["rolling", "aligned"])
def simulate(request, synthesise, monkeypatch):
    """Simulate an outage with some settings; return what people got."""

    def run(fails, hours=24, **settings):
        template = synthesise(alarm_email="data@example.com", **settings)["alerting"]
        found = copy.deepcopy(template.find_resources("AWS::CloudWatch::Alarm")).values()
        alarms = {
            alarm["Properties"]["AlarmName"].removeprefix("totesys-prod-"): AlarmModel(
                alarm["Properties"], request.param == "aligned"
            )
            for alarm in found
        }
        people = People(monkeypatch, BEGIN - AROUND)
        minutes = {
            name: settings.get(name, default) for name, default in (("extract_minutes", 5), ("recovery_minutes", 15))
        }
        simulation = Simulation(alarms, people, **minutes)
        end = BEGIN + timedelta(hours=hours)
        simulation.run(lambda at: fails if BEGIN <= at < end else (), end + AROUND)
        assert {alarm.state for alarm in alarms.values()} == {"OK"}, "and all is well again"
        print(f"\n{' and '.join(sorted(fails))} down for {hours} hours, {settings or 'default settings'}:")
        for sent in people.sent[:12]:
            print(f"  {sent.at - BEGIN!s:>18}  {sent.subject}\n{'':20}  {sent.sms}")
        return people.sent

    return run


RARE = {"extract_minutes": 30, "recovery_minutes": 30}


@pytest.mark.parametrize("settings", [{}, RARE], ids=["as it is", "rare"])
@pytest.mark.parametrize(("down", "stage"), [("warehouse", "load"), ("source", "extract")])
def test_an_outage_of_a_day_is_told_at_most_six_times_first_within_minutes_and_its_end_once(
    simulate, down, stage, settings
):
    sent = simulate({down}, **settings)
    assert len(sent) <= 6
    assert timedelta() <= sent[0].at - BEGIN <= timedelta(minutes=settings.get("extract_minutes", 5) + 5)
    assert f"totesys-prod {stage} fails" in sent[0].subject and f"the {down} cannot be reached" in sent[0].sms
    assert ["recovered" in message.subject for message in sent] == [*[False] * (len(sent) - 1), True]
    assert timedelta() < sent[-1].at - BEGIN - DAY <= timedelta(minutes=95)
    assert all(message.subject.isascii() and len(message.subject) <= 100 for message in sent)
    assert all(message.sms.isascii() and len(message.sms) <= 160 for message in sent)


def test_a_day_without_source_and_warehouse_is_told_of_each_once_and_reminded_of_together(simulate):
    sent = simulate({"source", "warehouse"})
    assert len(sent) <= 6
    assert sorted(message.subject.split()[1] for message in sent[:2]) == ["extract", "load"]
    assert sorted(message.subject.split()[1] for message in sent[-2:]) == ["extract", "load"]


def test_a_quarter_of_an_hour_is_told_twice(simulate):
    assert len(simulate({"warehouse"}, hours=0.25)) == 2


def test_a_good_week_is_told_nothing_of(simulate):
    assert simulate((), hours=48) == []


def test_alarms_that_nobody_holds_back_would_tell_much_more(simulate, monkeypatch):
    """Without memory, each failure and each change of an alarm is a message: the control for the tests above."""
    monkeypatch.setattr("lambdas.notify.notice.Memory._newest", lambda self: (0, _nothing()))
    monkeypatch.setattr("lambdas.notify.notice.Memory._put", lambda self, number, state: None)
    assert len(simulate({"warehouse"})) > 200


def _nothing():
    from lambdas.notify.incident import State

    return State()
