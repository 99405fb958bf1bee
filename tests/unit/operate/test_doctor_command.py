"""The examination as a whole: checks beside each other, missing permissions, output, exit codes, and the table in the docs."""

import json
import re
import time
from pathlib import Path

import psycopg
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from typer.testing import CliRunner

import operate.doctor.__main__ as command
from cdk_app.settings import Settings
from contracts.errors import StorageError
from lambdas.errors import SecretError
from local.home import ROOT
from operate.doctor.checks.account import check_bootstrap
from operate.doctor.examination import CHECKS, examine
from operate.doctor.finding import Finding, Level, fine
from operate.doctor.kinds import Kind
from operate.doctor.page import render
from operate.doctor.permissions import PERMISSIONS
from operate.doctor.place import PlaceError, cdk_arguments, local_platform, settings_of
from operate.doctor.running import Result, run
from tests.support.aws import FakeAws, Refused
from tests.support.doctor import ACCOUNT, REGION, kinds, platform, texts

ME = {"GetCallerIdentity": {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ann", "UserId": "u"}}


def _fails(error):
    def check(_):
        yield fine("so far")
        raise error

    return check


def _found(check, **options):
    (result,) = run({"it": check}, platform({}), **options)
    return result.findings


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"])
def test_a_missing_permission_is_named_and_stops_no_other_check(code):
    checks = {"bootstrap": check_bootstrap, "other": lambda _: iter([fine("well")])}
    denied, other = run(checks, platform({"GetParameter": Refused(code)}))
    assert kinds(denied.findings) == [Kind.NOT_PERMITTED] and "ssm:GetParameter" in texts(denied.findings)
    assert other.findings == [fine("well")]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            ClientError({"Error": {"Code": "Throttling", "Message": "secret words"}}, "DescribeKey"),
            "DescribeKey with Throttling",
        ),
        (EndpointConnectionError(endpoint_url="https://secret.words"), "EndpointConnectionError"),
        (psycopg.errors.QueryCanceled("secret words"), "57014"),
        (psycopg.OperationalError("secret words"), "connection lost"),
        (SecretError("the secret is told"), "the secret is told"),
        (StorageError("the bucket is told"), "the bucket is told"),
        (KeyError("secret words"), "KeyError"),
    ],
)
def test_a_check_that_fails_is_a_warning_that_repeats_nothing(error, told):
    found = _found(_fails(error))
    assert found[0] == fine("so far") and kinds(found) == [Kind.NOT_CHECKED]
    assert told in found[1].found and "secret words" not in texts(found) and "secret.words" not in texts(found)


def test_a_check_without_an_answer_is_given_up_and_what_it_found_is_kept():
    def waits(_):
        yield fine("so far")
        time.sleep(30)

    began = time.monotonic()
    found = _found(waits, limit_seconds=0.2)
    assert time.monotonic() - began < 5
    assert found[0] == fine("so far") and kinds(found) == [Kind.NOT_CHECKED] and "0.2 seconds" in found[1].found


def test_checks_run_beside_each_other_and_progress_is_told():
    def slow(_):
        time.sleep(0.3)
        yield fine("well")

    told, began = [], time.monotonic()
    results = run({str(number): slow for number in range(8)}, platform({}), told.append)
    assert time.monotonic() - began < 2
    assert [result.check for result in results] == list("01234567") and told == [*range(1, 9)]


def test_without_credentials_nothing_more_is_asked():
    aws = FakeAws({"GetCallerIdentity": Refused("InvalidClientTokenId")}, REGION)
    results = examine(Settings(environment="dev"), aws, lambda _: None)
    assert [result.check for result in results] == ["settings", "credentials"]


def test_before_a_deployment_only_settings_and_credentials_are_looked_at():
    aws = FakeAws(ME, REGION)
    results = examine(Settings(environment="dev"), aws, lambda _: None, is_before_deploy=True)
    assert [result.check for result in results] == ["settings", "credentials"]
    assert [name for name, _ in aws.asked] == ["GetCallerIdentity"]


def test_everything_else_is_asked_of_the_deployments_region():
    """AWS that denies all but who asks: each check says which permission it lacks, and none is a problem."""
    aws = FakeAws({**dict.fromkeys(PERMISSIONS, Refused("AccessDenied")), **ME}, "us-east-1")
    results = examine(Settings(environment="dev", region=REGION, alarm_email="a@totes.co.uk"), aws, lambda _: None)
    assert [result.check for result in results[2:]] == list(CHECKS)
    assert not [f for result in results for f in result.findings if f.level is Level.PROBLEM]
    assert "cloudformation:DescribeStacks" in texts(results[3].findings)


class _Answered:
    def __init__(self, *findings: Finding) -> None:
        self.findings = list(findings)

    def __call__(self, *_, **__):
        return [Result("it", self.findings)]


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([fine("well")], 0),
        ([fine("well"), Kind.ONE_ZONE.found("one", environment="dev")], 0),
        ([Kind.ONE_ZONE.found("one", environment="dev"), Kind.NO_CREDENTIALS.found("none")], 1),
    ],
)
def test_it_ends_with_1_when_there_is_a_problem(monkeypatch, findings, code):
    monkeypatch.setattr(command, "examine", _Answered(*findings))
    done = _run()
    assert done.exit_code == code
    assert all(word in done.output for f in findings for word in f.found.split())
    as_json = json.loads(_run("--json").stdout)
    assert as_json["problems"] == code and len(as_json["findings"]) == len(findings)
    assert set(as_json["findings"][0]) == {"check", "level", "kind", "found", "remedy"}


def _run(*arguments):
    import typer

    app = typer.Typer()
    app.command()(command.main)
    return CliRunner().invoke(app, ["--env", "dev", *arguments])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--parrot",), "--parrot"),
        (("--cdk-arguments", "-c 'x"), "cannot be read"),
        (("--home", "/nowhere"), "local up"),
    ],
)
def test_what_is_typed_wrongly_ends_with_2(arguments, word):
    done = _run(*arguments)
    assert done.exit_code == 2 and word in done.output.replace("\n", " ")


def test_settings_that_are_not_usable_are_a_problem():
    done = _run("--json", "--cdk-arguments", "-c extract_minutes=60 -c colour=blue")
    found = json.loads(done.stdout)["findings"]
    assert done.exit_code == 1 and [f["kind"] for f in found] == ["SETTINGS_UNUSABLE"]
    assert "colour" in found[0]["found"]
    done = _run("--json", "--cdk-arguments", "-c extract_minutes=60")
    told = json.loads(done.stdout)["findings"][0]["found"]
    assert "extract_minutes" in told and "'60'" in told and "30" in told


def test_a_profile_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    done = _run("--json", "--cdk-arguments", "--profile nobody")
    assert [f["kind"] for f in json.loads(done.stdout)["findings"]] == ["NO_CREDENTIALS"]


def test_arguments_for_the_cdk_win_over_cdk_json():
    text = (
        "--require-approval never -c account=222222222222 --context 'alarm_email=a@b.co' --profile data --context x=y=z"
    )
    assert cdk_arguments(text) == ({"account": ACCOUNT, "alarm_email": "a@b.co", "x": "y=z"}, "data")
    context, _ = cdk_arguments("-c account=222222222222")
    assert settings_of("prod", context).account == ACCOUNT
    with pytest.raises(PlaceError):
        cdk_arguments('"')


def test_a_platform_on_this_machine_has_the_settings_that_up_gave_it(tmp_path):
    place = {"region": REGION, "account": "000000000001", "endpoint": "http://127.0.0.1:1"}
    (tmp_path / "platform.json").write_text(json.dumps(place))
    (tmp_path / "state.json").write_text(json.dumps({"source": "postgresql://x", "warehouse_schema": "stars"}))
    context, aws = local_platform(tmp_path)
    assert context == {"region": REGION, "account": "000000000001", "warehouse_schema": "stars"}
    assert settings_of("local", context).warehouse_schema == "stars" and aws.region == REGION


def test_a_deployment_begins_with_doctor_and_only_a_flag_leaves_it_out():
    makefile = (ROOT / "Makefile").read_text()
    (deploy,) = re.findall(r"^deploy:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    first, second = deploy.splitlines()
    assert "$(if $(SKIP_DOCTOR),," in first and "operate.doctor --env $(ENV) --before-deploy" in first
    assert "deploy --all --context env=$(ENV) $(CDK_ARGUMENTS)" in second


def test_each_kind_of_finding_has_a_test_that_produces_it():
    files = [*Path(__file__).parent.glob("test_doctor_*.py"), ROOT / "tests" / "postgres" / "test_doctor.py"]
    tested = set(re.findall(r"Kind\.([A-Z_]+)", "".join(file.read_text() for file in files)))
    told = {"SETTINGS_UNUSABLE"}  # by name, in what --json prints
    assert {kind.name for kind in Kind} == tested | told


def test_the_page_on_deploying_has_the_table_of_findings_and_all_permissions():
    page = (ROOT / "docs" / "deploying.md").read_text("utf-8")
    assert render() in page, "make doctor-table"
    assert not [permission for permission in PERMISSIONS.values() if permission not in page]
    assert render().count("\n| ") == len(Kind)
