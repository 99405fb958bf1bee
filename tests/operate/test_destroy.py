"""Destroying and adopting a deployment, on the emulator; the CDK CLI is played by the test."""

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from local.servers.emulator_process import ACCOUNT, REGION
from operate import __main__ as command_line
from operate import destroy as module
from operate.adopted import adopted
from operate.buckets import Contents, contents, empty
from operate.deployment import Deployment
from operate.destroy import destroy
from operate.errors import OperateError
from operate.inventory import take_inventory

INGESTION = f"totesys-dev-ingestion-{ACCOUNT}-{REGION}"
#: Of the environment dev-2, whose names begin as those of dev.
ANOTHER = f"totesys-dev-2-ingestion-{ACCOUNT}-{REGION}"


class Cdk:
    """Plays the CLI: remembers what it was called with, and what was in the bucket then."""

    def __init__(self, s3, code=0):
        self.s3, self.code, self.calls = s3, code, []

    def __call__(self, command, **options):
        left = contents(self.s3, INGESTION)
        self.calls.append((command[command.index("destroy") + 1], left and left.versions))
        self.command = command
        return SimpleNamespace(returncode=self.code)


@pytest.fixture
def dev(servers):
    """The leftovers of a deployment of dev, and a bucket of another environment; all gone afterwards."""
    s3 = servers.client("s3")
    deployment = Deployment("dev")
    for bucket in (*deployment.buckets, ANOTHER):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"22", b"333"):
        s3.put_object(Bucket=INGESTION, Key="batches/1", Body=body)
    s3.delete_object(Bucket=INGESTION, Key="batches/1")
    s3.put_object(Bucket=ANOTHER, Key="batches/1", Body=b"1")
    for name in ("totesys_dev", "totesys_dev_replay_1", "totesys_dev_2"):
        servers.client("glue").create_database(DatabaseInput={"Name": name})
    for name in ("source", "warehouse"):
        servers.client("secretsmanager").create_secret(Name=f"totesys-dev/{name}", SecretString="{}")
    key = servers.client("kms").create_key()["KeyMetadata"]["Arn"]
    servers.client("kms").create_alias(AliasName="alias/totesys-dev", TargetKeyId=key)
    yield SimpleNamespace(deployment=deployment, s3=s3, key=key)
    for bucket in (*deployment.buckets, ANOTHER):
        if contents(s3, bucket):
            empty(s3, bucket)
            s3.delete_bucket(Bucket=bucket)
    for name in {"totesys_dev_2", *deployment.databases()}:
        servers.client("glue").delete_database(Name=name)
    deployment = Deployment("dev")  # tests change what the other one was told
    for arn in filter(None, map(deployment.secret_arn, ("source", "warehouse"))):
        servers.client("secretsmanager").delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    if deployment.key_arn():
        servers.client("kms").delete_alias(AliasName="alias/totesys-dev")


@pytest.fixture
def cdk(dev, monkeypatch):
    played = Cdk(dev.s3)
    monkeypatch.setattr(module.subprocess, "run", played)
    return played


def run(deployment, answer="dev", **options):
    shown = io.StringIO()
    console = Console(file=shown, width=160)
    given = {"stacks_only": False, "cdk": ["cdk"], "ask": lambda question: answer, **options}
    destroy(deployment, console=console, **given)
    return shown.getvalue()


def stack(servers, name, protected=False):
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}}}}
    formation = servers.client("cloudformation")
    formation.create_stack(StackName=name, TemplateBody=json.dumps(template), EnableTerminationProtection=protected)
    formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    return name


@pytest.fixture
def protected_stack(servers):
    name = stack(servers, "totesys-dev-storage", protected=True)
    yield name
    formation = servers.client("cloudformation")
    formation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    formation.delete_stack(StackName=name)


def keeping(deployment):
    """The same deployment, where data is kept."""
    deployment.settings = deployment.settings.model_copy(update={"keep_data": True})
    return deployment


def test_it_says_what_it_will_delete(dev, cdk):
    shown = run(dev.deployment)
    assert f"account {ACCOUNT}, {REGION}" in shown
    for text in (
        INGESTION,
        "4 versions of objects",
        "totesys_dev ",
        "totesys_dev_replay_1",
        "totesys-dev/source",
        dev.key,
    ):
        assert text in shown
    assert ANOTHER not in shown and "totesys_dev_2" not in shown


def test_what_writes_goes_first_then_the_buckets_are_emptied_then_the_rest_goes(dev, cdk):
    run(dev.deployment)
    assert cdk.calls == [("totesys-dev-pipeline", 4), ("--all", 0)]
    command = " ".join(cdk.command)
    assert (
        f"--context env=dev --context account={ACCOUNT} --context region={REGION}" in command and "--force" in command
    )


def test_nothing_of_the_environment_is_left_though_no_stack_had_it_and_others_keep_theirs(dev, cdk, servers):
    run(dev.deployment)
    assert take_inventory(dev.deployment).is_empty
    assert servers.client("kms").describe_key(KeyId=dev.key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert contents(dev.s3, ANOTHER) == Contents(1, 1)
    names = [d["Name"] for d in servers.client("glue").get_databases()["DatabaseList"]]
    assert "totesys_dev_2" in names and not {"totesys_dev", "totesys_dev_replay_1"} & {*names}
    assert "There is nothing of totesys-dev" in run(dev.deployment, answer="not asked")


def test_nothing_is_deleted_without_the_environments_name(dev, cdk):
    for answer in ("", "y", "DEV", "prod"):
        with pytest.raises(OperateError, match="Nothing was deleted"):
            run(dev.deployment, answer)
    assert cdk.calls == [] and contents(dev.s3, INGESTION) == Contents(4, 6)


def test_kept_data_is_not_deleted_and_data_that_is_not_kept_is_not_promised(dev, cdk):
    with pytest.raises(OperateError, match="deleting the stacks deletes it"):
        run(dev.deployment, stacks_only=True)
    with pytest.raises(OperateError, match=r"keeps its data.*STACKS=1"):
        run(keeping(dev.deployment))
    assert cdk.calls == [] and contents(dev.s3, INGESTION) == Contents(4, 6)


def test_the_stacks_alone_are_deleted_where_data_is_kept(dev, cdk, servers):
    name = stack(servers, "totesys-dev-catalog")
    shown = run(keeping(dev.deployment), stacks_only=True)
    assert name in shown and INGESTION not in shown
    assert cdk.calls == [("--all", 4)]
    left = take_inventory(dev.deployment)
    assert len(left.buckets) == 4 and left.key == dev.key and len(left.secrets) == 2 and "totesys_dev" in left.databases
    servers.client("cloudformation").delete_stack(StackName=name)


def test_protected_stacks_are_told_before_anything_is_deleted(dev, cdk, protected_stack):
    for options, deployment in (({}, dev.deployment), ({"stacks_only": True}, keeping(Deployment("dev")))):
        with pytest.raises(OperateError, match=rf"{protected_stack} refuse.*termination_protection to false"):
            run(deployment, **options)
    assert cdk.calls == [] and contents(dev.s3, INGESTION) == Contents(4, 6)


def test_when_the_cli_fails_nothing_is_emptied_and_it_says_to_go_on(dev, cdk):
    cdk.code = 1
    with pytest.raises(OperateError, match="Run the command again"):
        run(dev.deployment)
    assert cdk.calls == [("totesys-dev-pipeline", 4)] and contents(dev.s3, INGESTION) == Contents(4, 6)


def test_more_than_a_page_is_deleted_and_counted(dev):
    for number in range(1100):  # of four keys: a page ends between two versions of one
        dev.s3.put_object(Bucket=INGESTION, Key=f"part-{number % 4}", Body=b"")
    assert contents(dev.s3, INGESTION) == Contents(1104, 6)
    told = []
    empty(dev.s3, INGESTION, told.append)
    assert sum(told) == 1104 and len(told) > 1 and contents(dev.s3, INGESTION) == Contents(0, 0)


def test_a_version_that_s3_refuses_to_delete_is_told():
    class Refusing:
        def get_paginator(self, name):
            page = {"Versions": [{"Key": "a", "VersionId": "1"}, {"Key": "b", "VersionId": "2"}]}
            return SimpleNamespace(paginate=lambda Bucket: [page])

        def delete_objects(self, **request):
            return {"Errors": [{"Key": "b", "VersionId": "2", "Code": "AccessDenied"}]}

    with pytest.raises(OperateError, match=r"1 of 2 versions in bucket \(AccessDenied: b\)"):
        empty(Refusing(), "bucket")


def test_what_is_left_is_printed_as_settings(dev, servers):
    found = adopted(dev.deployment)
    arns = {
        f"{name}_secret_arn": servers.client("secretsmanager").describe_secret(SecretId=f"totesys-dev/{name}")["ARN"]
        for name in ("source", "warehouse")
    }
    assert found == {"adopt": True, "key_arn": dev.key, **arns}
    settings = dev.deployment.settings
    assert type(settings).model_validate({**settings.model_dump(), "keep_data": True, **found}).adopt
    servers.client("secretsmanager").delete_secret(SecretId="totesys-dev/source", ForceDeleteWithoutRecovery=True)
    assert set(adopted(dev.deployment)) == {"adopt", "key_arn", "warehouse_secret_arn"}


def test_a_key_or_a_secret_of_the_settings_is_somebody_elses(dev):
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:shared-AbCdEf"
    given = {"key_arn": "arn:aws:kms:another", "source_secret_arn": arn}
    dev.deployment.settings = dev.deployment.settings.model_copy(update=given)
    assert adopted(dev.deployment) | given == adopted(dev.deployment)
    found = take_inventory(dev.deployment)
    assert (found.key, found.secrets) == (None, ["totesys-dev/warehouse"])


@pytest.mark.parametrize("what", ["bucket", "database", "key"])
def test_what_is_missing_is_told_before_a_deployment_adopts(dev, servers, what):
    {
        "bucket": lambda: dev.s3.delete_bucket(Bucket=f"totesys-dev-processed-{ACCOUNT}-{REGION}"),
        "database": lambda: servers.client("glue").delete_database(Name="totesys_dev"),
        "key": lambda: servers.client("kms").delete_alias(AliasName="alias/totesys-dev"),
    }[what]()
    named = {"bucket": "totesys-dev-processed", "database": "totesys_dev", "key": "alias/totesys-dev"}[what]
    with pytest.raises(OperateError, match=f"there is no {what} {named}") as told:
        adopted(dev.deployment)
    assert "ingestion" not in str(told.value)


def test_credentials_of_another_account_are_refused(servers):
    with pytest.raises(OperateError, match=f"prod is in account 111122223333, these credentials are of {ACCOUNT}"):
        Deployment("prod")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["destroy", "--env", "moon"], 1, "Environment 'moon' is not in cdk.json"),
        (["destroy", "--env", "dev", "--yes", "prod"], 1, "That is not the environment's name"),
        (["adopted", "--env", "dev"], 1, "there is no bucket totesys-dev-processed"),
        (["destroy"], 2, "--env"),
    ],
)
def test_bad_input_is_one_message(dev, cdk, monkeypatch, capsys, arguments, code, message):
    dev.s3.delete_bucket(Bucket=f"totesys-dev-processed-{ACCOUNT}-{REGION}")
    monkeypatch.setattr(sys, "argv", ["operate", *arguments])
    assert command_line.main() == code
    told = capsys.readouterr()
    assert message in told.err and "Traceback" not in told.err and told.out == ""


def test_an_aws_that_does_not_answer_is_one_message(monkeypatch, capsys):
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(sys, "argv", ["operate", "adopted", "--env", "dev"])
    assert command_line.main() == 1
    assert "AWS cannot be asked: EndpointConnectionError" in capsys.readouterr().err


def test_the_command_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "operate", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "destroy" in done.stdout and "adopted" in done.stdout
