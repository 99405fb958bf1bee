"""Each permission of each role is needed: without it a named step fails, for want of just that permission.

A permission that no step here can miss stands in `UNSEEN` with its reason; a role that is deployed with any other fails the test.
"""

import json
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fnmatch import fnmatch

import pytest

from local.batches import invoke, loaded_batch, run_machine
from local.errors import BatchFailedError
from local.servers.emulator_process import client

EXTRACT, LOAD, NOTIFY = "extract-function", "load-function", "notify-function"
JOB, MACHINE, RULE = "transform-job", "publish-machine", "publish-rule"
#: Schedules start what their target is; the emulator fires them when it is asked to.
SCHEDULES = ("extract-schedule", "keys-schedule", "recover-schedule", "maintain-schedule")
_NOTHING = {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}  # a policy has a statement
DENIED = ("AccessDenied", "ACCESS_DENIED", "not authorized", "Forbidden", "not started")


@dataclass(frozen=True)
class Needed:
    """Without `action` on resources that have `resource` in their name, `step` fails."""

    role: str
    action: str
    resource: str
    step: str


NEEDED = [
    Needed(EXTRACT, "secretsmanager:GetSecretValue", "source", "extraction"),
    Needed(EXTRACT, "s3:ListBucket", "ingestion", "extraction"),
    Needed(EXTRACT, "s3:ListBucket", "processed", "extraction"),
    Needed(EXTRACT, "s3:GetObject", "ingestion", "extraction"),
    Needed(EXTRACT, "s3:GetObject", "processed", "extraction after the loss of every manifest"),
    Needed(EXTRACT, "s3:PutObject", "ingestion", "extraction"),
    Needed(JOB, "s3:ListBucket", "ingestion", "transform"),
    Needed(JOB, "s3:ListBucket", "processed", "transform"),
    Needed(JOB, "s3:GetObject", "ingestion", "transform"),
    Needed(JOB, "s3:GetObject", "processed", "transform"),
    Needed(JOB, "s3:PutObject", "star", "transform"),
    Needed(JOB, "glue:GetTable", "table/totesys/", "transform"),
    Needed(JOB, "glue:UpdateTable", "table/totesys/", "transform"),
    Needed(JOB, "s3:PutObject", "publications", "transform"),  # last: the tables then have the batch already
    Needed(JOB, "s3:PutObject", "listings", "listing"),
    Needed(JOB, "s3:PutObject", "replay", "replay"),
    Needed(JOB, "glue:CreateDatabase", "replay", "replay"),
    Needed(JOB, "glue:CreateTable", "replay", "replay"),
    Needed(LOAD, "s3:ListBucket", "ingestion", "pending check"),
    Needed(LOAD, "s3:ListBucket", "processed", "pending check"),
    Needed(LOAD, "s3:GetObject", "ingestion", "pending check"),
    Needed(LOAD, "secretsmanager:GetSecretValue", "warehouse", "load"),
    Needed(LOAD, "s3:GetObject", "publications", "load"),
    Needed(LOAD, "s3:GetObject", "star", "load"),
    Needed(LOAD, "s3:PutObject", "loads", "load"),
    Needed(LOAD, "s3:GetObject", "listings", "rebuild"),
    Needed(NOTIFY, "s3:ListBucket", "processed", "message"),
    Needed(NOTIFY, "s3:GetObject", "notices", "message"),
    Needed(NOTIFY, "s3:PutObject", "notices", "message"),
    Needed(NOTIFY, "sns:Publish", "alarms", "message"),
    Needed(MACHINE, "lambda:InvokeFunction", "load", "execution"),
    Needed(MACHINE, "glue:StartJobRun", "transform", "execution"),
    Needed(MACHINE, "glue:GetJobRun", "transform", "execution"),
    Needed(MACHINE, "glue:StartJobRun", "maintenance", "execution of a maintenance"),
    Needed(RULE, "states:StartExecution", "publish", "event of a batch"),
]
_BESIDE = "Glue on AWS asks for catalog and database beside the table; the emulator for the innermost alone."
_LOGS = "The emulator keeps the logs of functions and jobs in files of its own."
_KEY = "The service uses the key on the role's behalf; the emulator's services encrypt nothing."
#: Role (or any), action, part of the resource: why no step here can miss it.
UNSEEN = [
    ("*", "logs:*", "", _LOGS),
    ("*", "xray:*", "", _LOGS),
    ("*", "cloudwatch:PutMetricData", "", _LOGS),
    ("*", "kms:*", "", _KEY),
    ("*", "s3:*Object", "/newest/", "Without a hint the search lists more: tests/unit/contracts/test_newest.py."),
    ("*", "sqs:SendMessage", "", "For what could not be delivered: tests/infra/test_failure_paths.py."),
    ("*", "s3:AbortMultipartUpload", "", "Only a part that cannot be written to its end is aborted."),
    (EXTRACT, "lambda:InvokeFunction", "", "Without it the next scheduled run goes on, as test_platform.py shows by killing."),
    (JOB, "s3:GetBucketLocation", "", "Glue on AWS looks for the bucket's region."),
    (JOB, "s3:GetObject", "cdk-", "Glue on AWS fetches script and library with the role; the emulator with its own login."),
    (JOB, "s3:DeleteObject", "", "Only files that expired, or that a failed commit left, are deleted."),
    (JOB, "glue:GetSecurityConfiguration", "", "Glue on AWS reads it at a job's start."),
    (JOB, "glue:*", ":catalog", _BESIDE),
    (JOB, "glue:*", ":database/", _BESIDE),
    (JOB, "glue:*", ":table/totesys_replay", "A replay needs of its tables what the live lake needs of its own."),
    (JOB, "glue:CreateTable", ":table/totesys/", "The first batch alone creates the lake's tables; a replay shows the same."),
    (JOB, "glue:GetDatabase", "", "The first batch, or a replay, looks where the database lies before it creates a table."),
    (JOB, "glue:GetTables", "", "Iceberg lists tables where a database is dropped or looked through."),
    (MACHINE, "lambda:InvokeFunction", "extract", "Asked when keys or everything are wanted: tests/infra/test_publish_machine.py."),
    (MACHINE, "lambda:InvokeFunction", "notify", "Without it the topic is told: tests/infra/test_publish_machine.py."),
    (MACHINE, "glue:BatchStopJobRun", "", "Only an execution that is aborted stops its run."),
    (MACHINE, "glue:GetJobRun*", "", "On AWS the state machine follows the run that it waits for."),
    (MACHINE, "sns:Publish", "", "What cannot be told still fails: tests/infra/test_publish_machine.py."),
    *[(role, "*", "", "Fired by the tests of schedules.") for role in SCHEDULES],
]  # fmt: skip


class Deployed:
    """The shared platform, with batches that wait where a step needs one."""

    def __init__(self, platform):
        self.platform = platform
        self.description = platform.description
        self.iam = client(self.description, "iam")
        self.replays = 0

    def policies(self, role):
        name = f"totesys-local-{role}"
        for policy in self.iam.list_role_policies(RoleName=name)["PolicyNames"]:
            yield policy, self.iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]

    def roles(self):
        names = [role["RoleName"] for page in self.iam.get_paginator("list_roles").paginate() for role in page["Roles"]]
        return [name.removeprefix("totesys-local-") for name in names if name.startswith("totesys-local-")]

    @contextmanager
    def without(self, role, action, resource):
        """Take one action on some resources away from a role."""
        before = dict(self.policies(role))
        name, taken = f"totesys-local-{role}", 0
        for policy, document in before.items():
            left = []
            for statement in document["Statement"]:
                actions, resources = _listed(statement["Action"]), _listed(statement["Resource"])
                hit = [r for r in resources if resource in r] if action in actions else []
                taken += len(hit)
                if not hit:
                    left.append(statement)
                    continue
                others, spared = [a for a in actions if a != action], [r for r in resources if r not in hit]
                left += [{**statement, "Action": others}] if others else []
                left += [{**statement, "Action": action, "Resource": spared}] if spared else []
            changed = json.dumps({**document, "Statement": left or [_NOTHING]})
            self.iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=changed)
        assert taken, f"{role} has no {action} on {resource}"
        try:
            yield
        finally:
            for policy, document in before.items():
                self.iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))

    def change(self):
        self.platform.execute("update sales_order set units_sold = units_sold + 1 where sales_order_id < 4")

    def extract(self, **request):
        return invoke(self.description, self.description["extract_function"], {"trigger": "test", **request})

    def load(self, step):
        return invoke(self.description, self.description["load_function"], {"step": step})

    def run(self, job="transform", **arguments):
        """Run a Glue job to its end."""
        glue = client(self.description, "glue")
        name = f"totesys-local-{job}"
        arguments = {f"--{key.rstrip('_')}": str(value) for key, value in arguments.items()}
        run = glue.start_job_run(JobName=name, Arguments=arguments)["JobRunId"]
        while (found := glue.get_job_run(JobName=name, RunId=run)["JobRun"])["JobRunState"] not in (
            "SUCCEEDED",
            "FAILED",
        ):
            time.sleep(0.2)
        if found["JobRunState"] == "FAILED":
            raise BatchFailedError(found["ErrorMessage"])

    def pending(self):
        """Have a batch wait for the transform."""
        if not self.load("check_pending")["untransformed"]:
            self.change()
            assert self.extract()["batch"]

    def published(self):
        """Have a publication wait for the load."""
        if self.load("check_pending")["published"] <= loaded_batch(self.description):
            self.pending()
            self.run()

    def listed(self):
        self.run("maintenance", mode="list")

    def nothing(self):
        """Prepare nothing."""

    def extraction_after_a_loss(self):
        s3, bucket = client(self.description, "s3"), self.description["ingestion_bucket"]
        keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket, Prefix="batches/")["Contents"]]
        bodies = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
        try:
            for key in keys:
                s3.delete_object(Bucket=bucket, Key=key)
            self.extract()
        finally:
            for key, body in bodies.items():
                s3.put_object(Bucket=bucket, Key=key, Body=body)

    def told(self):
        """Have a notice there."""
        self.tell("check")

    def tell(self, stage="maintenance"):
        failure = {"stage": stage, "error": "StorageError", "cause": "{}", "execution": "arn:aws:states:x"}
        return invoke(self.description, "totesys-local-notify", failure)

    def replay(self):
        self.replays += 1
        arguments = {"mode": "replay", "from_": 1, "to": 1, "into": f"totesys_replay_{self.replays}"}
        self.run("maintenance", **arguments)

    def event(self):
        machines, arn = client(self.description, "stepfunctions"), self.description["state_machine"]
        before = len(machines.list_executions(stateMachineArn=arn)["executions"])
        self.change()
        assert self.extract()["batch"]
        time.sleep(3)
        if len(machines.list_executions(stateMachineArn=arn)["executions"]) == before:
            raise BatchFailedError("not started")


#: Step: what must wait for it, and what is done.
STEPS = {
    "extraction": (Deployed.change, Deployed.extract),
    "extraction after the loss of every manifest": (Deployed.nothing, Deployed.extraction_after_a_loss),
    "transform": (Deployed.pending, Deployed.run),
    "listing": (Deployed.nothing, Deployed.listed),
    "replay": (Deployed.nothing, Deployed.replay),
    "pending check": (Deployed.nothing, lambda it: it.load("check_pending")),
    "load": (Deployed.published, lambda it: it.load("load")),
    "rebuild": (Deployed.listed, lambda it: it.load("rebuild")),
    "message": (Deployed.told, Deployed.tell),
    "execution": (Deployed.pending, lambda it: run_machine(it.description, {})),
    "execution of a maintenance": (Deployed.nothing, lambda it: run_machine(it.description, {"mode": "maintain"})),
    "event of a batch": (Deployed.nothing, Deployed.event),
}


def _listed(value):
    return [value] if isinstance(value, str) else list(value)


def _covered(role, action, resource):
    return any(n.role == role and n.action == action and n.resource in resource for n in NEEDED)


def _reason(role, action, resource):
    return next(
        (why for r, a, part, why in UNSEEN if fnmatch(role, r) and fnmatch(action, a) and part in resource), None
    )


@pytest.fixture(scope="module")
def deployed(platform):
    """A platform with a batch, on which no event starts anything: what waits goes on waiting."""
    if not platform.json("status", "--json")["batch"]:
        platform.batch()
    found = Deployed(platform)
    with found.without(RULE, "states:StartExecution", "publish"):
        yield found
    run_machine(platform.description, {})
    platform.assert_equal()


@pytest.mark.parametrize("needed", NEEDED, ids=lambda n: f"{n.role} {n.action} {n.resource}")
def test_without_a_permission_a_step_fails(deployed, needed):
    prepare, step = STEPS[needed.step]
    prepare(deployed)
    taken = nullcontext() if needed.role == RULE else deployed.without(needed.role, needed.action, needed.resource)
    with taken, pytest.raises(BatchFailedError) as told:
        step(deployed)
    assert any(word in str(told.value) for word in DENIED), told.value
    print(f"{needed.role:<18}{needed.action:<32}{needed.resource:<16}{needed.step}")


def test_every_permission_is_needed_or_has_its_reason(deployed):
    found = [
        (role, action, resource)
        for role in deployed.roles()
        for _, document in deployed.policies(role)
        for statement in document["Statement"]
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    ]
    assert [p for p in found if not _covered(*p) and not _reason(*p) and p[0] != RULE] == []
    assert len(NEEDED) >= 25
