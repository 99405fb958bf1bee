"""The deployed schedules, under a clock that is moved: nothing here asks for a batch but they."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cdk_app.publish_definition import LEFT_TO_EVENT_SECONDS
from contracts.protocol.bucket import Bucket
from contracts.protocol.object_layout import manifest_key
from contracts.protocol.progress import newest_manifest, newest_manifest_number
from contracts.tables.source import SOURCE_TABLES
from local.batches import loaded_batch, wait_for
from local.emulator.scheduler.clock import Clock
from local.emulator.scheduler.record import FiringRecord
from local.home import Home
from local.schedules import schedules
from local.servers.emulator_process import client

RULE, NAME = "totesys-local-batch-committed", "totesys-local-{}"
INPUTS = {
    "extract": {"trigger": "schedule"},
    "keys": {"trigger": "schedule", "keys": "all"},
    "recover": {"trigger": "schedule"},
    "maintain": {"trigger": "schedule", "mode": "maintain"},
}


class Scheduled:
    """A platform whose schedules fire."""

    def __init__(self, platform):
        self.platform, self.home = platform, Home(platform.home)
        self._begun = len(FiringRecord(self.home.firings).read())

    def client(self, service):
        return client(self.platform.description, service)

    def ingestion(self):
        return Bucket(self.client("s3"), self.platform.description["ingestion_bucket"])

    def fired(self, name):
        """Firings of a schedule since then, oldest first."""
        return [f for f in FiringRecord(self.home.firings).read()[self._begun :] if f.schedule == NAME.format(name)]

    def let_fire(self, name):
        """Move the clock to the next moment of a schedule, and return its firing."""
        before = len(self.fired(name))
        due = datetime.fromisoformat(schedules(self.platform.description)[NAME.format(name)]["next"])
        Clock(self.home.clock).set(due + timedelta(seconds=1))
        until(lambda: len(self.fired(name)) > before, f"{name} fires at {due}")
        return self.fired(name)[-1]

    def let_the_batch_grow_old(self):
        """Have the newest batch taken longer ago than recovery leaves a batch to its event: functions have a clock of their own."""
        manifest = newest_manifest(self.ingestion())
        taken = datetime.fromisoformat(manifest.taken_at) - 2 * timedelta(seconds=LEFT_TO_EVENT_SECONDS)
        older = replace(manifest, extracted_at=taken.isoformat(timespec="microseconds"))
        self.ingestion().put(manifest_key(manifest.batch), older.to_json())

    def until_loaded(self):
        """Wait until the warehouse shows the newest batch."""
        until(
            lambda: loaded_batch(self.platform.description) >= newest_manifest_number(self.ingestion()) > 0,
            "the newest batch is in the warehouse",
        )

    def executions(self, request):
        machine = self.client("stepfunctions")
        found = machine.list_executions(stateMachineArn=self.platform.description["state_machine"])["executions"]
        arns = [execution["executionArn"] for execution in found]
        return [a for a in arns if json.loads(machine.describe_execution(executionArn=a)["input"]) == request]


def until(holds, what, seconds=420):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"within {seconds} s it does not hold that {what}"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def scheduled(platform):
    """Schedules are on, the source has changed, and the rule is off: of a batch nobody knows but the recovery."""
    rules = client(platform.description, "events")
    rules.disable_rule(Name=RULE)
    platform.execute("update payment set paid = not paid where payment_id < 6")
    found = Scheduled(platform)
    found.told = platform.run("up", "--schedules").out
    yield found
    scheduler = found.client("scheduler")
    kept = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    for name in INPUTS:  # the next file's tests want to be alone
        schedule = scheduler.get_schedule(Name=NAME.format(name))
        scheduler.update_schedule(**{key: schedule[key] for key in kept}, State="DISABLED")
    found.home.clock.unlink()


def test_g3_extraction_and_recovery_bring_a_batch_into_the_warehouse_with_no_hand_on_it(scheduled):
    rules, before = scheduled.client("events"), loaded_batch(scheduled.platform.description)
    assert "The schedules fire" in scheduled.told
    assert rules.describe_rule(Name=RULE)["State"] == "DISABLED"
    until(lambda: newest_manifest_number(scheduled.ingestion()) > before, "the extraction has committed a batch")
    scheduled.let_the_batch_grow_old()
    assert scheduled.let_fire("recover").error == ""
    scheduled.until_loaded()
    rules.enable_rule(Name=RULE)
    scheduled.platform.assert_equal()


def test_g6_the_daily_key_lists_find_a_deletion_and_a_person_may_ask_for_a_batch_meanwhile(scheduled):
    platform = scheduled.platform
    (transaction,) = platform.execute("select transaction_id from transaction where sales_order_id = 7")[0]
    platform.execute("delete from payment where transaction_id = %s", transaction)
    platform.execute("delete from transaction where transaction_id = %s", transaction)
    assert scheduled.let_fire("keys").error == ""
    platform.batch()
    until(lambda: _brings_key_lists(scheduled), "a batch has the key lists of all tables")
    scheduled.until_loaded()
    platform.assert_equal()


def _brings_key_lists(scheduled):
    newest = newest_manifest(scheduled.ingestion())
    return all(newest.tables[name].key_parts for name in SOURCE_TABLES)


def test_the_weekly_maintenance_runs(scheduled):
    assert scheduled.let_fire("maintain").error == ""
    (execution,) = scheduled.executions(INPUTS["maintain"])
    wait_for(scheduled.platform.description, execution)


def test_each_schedule_has_fired_with_its_own_role_and_its_own_input_and_status_tells(scheduled):
    status = scheduled.platform.json("status", "--json")["schedules"]
    table = scheduled.platform.run("status").out
    for name, request in INPUTS.items():
        firings = scheduled.fired(name)
        assert firings and {f.error for f in firings} == {""}
        assert {f.role.rpartition("/")[2] for f in firings} == {f"{NAME.format(name)}-schedule"}
        assert [json.loads(f.input) for f in firings] == [request] * len(firings)
        told = status[NAME.format(name)]
        assert told["fires"] and told["last"] == firings[-1].at < told["next"]
        assert NAME.format(name) in table
    assert scheduled.executions(INPUTS["recover"])


def test_a_schedule_whose_role_may_not_ask_fails_visibly(scheduled):
    """The emulator itself says who was refused what: the schedule's own role."""
    iam, platform = scheduled.client("iam"), scheduled.platform
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    roles = [f"{NAME.format(name)}-schedule" for name in INPUTS]
    for role in roles:
        iam.put_role_policy(RoleName=role, PolicyName="refused", PolicyDocument=json.dumps(deny))
    newest = newest_manifest_number(scheduled.ingestion())
    try:
        for name in ("keys", "extract", "recover", "maintain"):
            error = scheduled.let_fire(name).error
            assert error.startswith("AccessDenied") and f"{NAME.format(name)}-schedule" in error
            assert ("lambda:InvokeFunction" if name in ("keys", "extract") else "states:StartExecution") in error
    finally:
        for role in roles:
            iam.delete_role_policy(RoleName=role, PolicyName="refused")
    status = platform.json("status", "--json")
    assert "AccessDenied" in status["schedules"][NAME.format("extract")]["error"]
    assert "AccessDenied" in status["last_error"]["message"] and "AccessDenied" in platform.run("status").out
    assert newest_manifest_number(scheduled.ingestion()) == newest
    dropped = scheduled.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Scheduler",
        MetricName="InvocationDroppedCount",
        Dimensions=[{"Name": "ScheduleGroup", "Value": "default"}],
        StartTime=datetime.now(UTC) - timedelta(hours=1),
        EndTime=datetime.now(UTC) + timedelta(hours=1),
        Period=60,
        Statistics=["Sum"],
    )
    assert sum(point["Sum"] for point in dropped["Datapoints"]) >= 4
