"""Settings, credentials, bootstrap, stacks, names and secrets: each fault is found, with its remedy."""

import json
from datetime import datetime

import pytest

from cdk_app.settings import STACKS, Settings, read_settings
from local.home import ROOT
from operate.doctor.checks.account import check_bootstrap, identify
from operate.doctor.checks.secrets import check_secrets
from operate.doctor.checks.settings import check_placeholders
from operate.doctor.checks.stacks import check_names, check_stacks
from operate.doctor.kinds import Kind
from tests.support.aws import FakeAws, Refused
from tests.support.doctor import ACCOUNT, REGION, kinds, platform, secret, stacks, texts

GOOD = {"account": ACCOUNT, "region": REGION, "alarm_email": "data@totes.co.uk"}
ARN = "arn:aws:secretsmanager:eu-west-2:222222222222:secret:theirs-AbCdEf"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"account": "111122223333"}, [Kind.PLACEHOLDER_ACCOUNT]),
        ({"key_arn": "arn:aws:kms:eu-west-2:123456789012:key/1"}, [Kind.PLACEHOLDER_ACCOUNT]),
        ({"alarm_email": "data@example.com"}, [Kind.PLACEHOLDER_ADDRESS]),
        ({"alarm_email": "data@totes.co.uk,x@mail.example.org"}, [Kind.PLACEHOLDER_ADDRESS]),
        ({"alarm_email": "data@example-totes.com"}, []),
        ({"alarm_email": ""}, [Kind.NOBODY_IS_TOLD]),
        ({"alarm_email": "", "alarm_phone": "+447700900123"}, []),
    ],
)
def test_placeholders_are_found(change, expected):
    assert kinds(check_placeholders(Settings(environment="dev", **{**GOOD, **change}))) == expected


def test_what_cdk_json_holds_for_prod_is_an_example_and_is_told_as_one():
    environments = json.loads((ROOT / "cdk.json").read_text())["context"]["environments"]
    found = list(check_placeholders(read_settings({"env": "prod"}, environments)))
    assert kinds(found) == [Kind.PLACEHOLDER_ACCOUNT, Kind.PLACEHOLDER_ADDRESS]
    assert "account:" in texts(found) and "alarm_email:" in texts(found) and "environment prod" in texts(found)
    assert "data-platform@" not in texts(found)


ME = {"GetCallerIdentity": {"Account": ACCOUNT, "Arn": "arn:aws:iam::222222222222:user/ann", "UserId": "u"}}


@pytest.mark.parametrize(
    ("answers", "settings", "region", "account", "expected"),
    [
        (ME, GOOD, REGION, ACCOUNT, []),
        (ME, {}, REGION, ACCOUNT, []),
        (ME, GOOD, None, ACCOUNT, []),
        (ME, {}, None, "", [Kind.NO_REGION]),
        (ME, GOOD, "us-east-1", ACCOUNT, [Kind.OTHER_REGION]),
        (ME, {**GOOD, "account": "333333333333"}, REGION, "", [Kind.OTHER_ACCOUNT]),
        ({"GetCallerIdentity": Refused("ExpiredToken")}, GOOD, REGION, "", [Kind.NO_CREDENTIALS]),
    ],
)
def test_whose_the_credentials_are(answers, settings, region, account, expected):
    found = identify(Settings(environment="dev", **settings), FakeAws(answers, region))
    assert (found[0], kinds(found[1])) == (account, expected)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"Parameter": {"Value": "6"}}, []),
        ({"Parameter": {"Value": "5"}}, [Kind.BOOTSTRAP_OLD]),
        (Refused("ParameterNotFound"), [Kind.NOT_BOOTSTRAPPED]),
    ],
)
def test_the_bootstrap_stack(answer, expected):
    found = list(check_bootstrap(platform({"GetParameter": answer})))
    assert kinds(found) == expected
    assert (f"cdk bootstrap aws://{ACCOUNT}/{REGION}" in texts(found)) == bool(expected)


@pytest.mark.parametrize(
    ("names", "state", "expected"),
    [
        (STACKS, "CREATE_COMPLETE", []),
        ((), "CREATE_COMPLETE", []),
        (STACKS, "REVIEW_IN_PROGRESS", []),
        (("storage", "catalog"), "UPDATE_COMPLETE", [Kind.STACKS_MISSING]),
        (STACKS, "ROLLBACK_COMPLETE", [Kind.STACK_FAILED] * 5),
        (STACKS, "DELETE_FAILED", [Kind.STACK_FAILED] * 5),
        (STACKS, "UPDATE_ROLLBACK_FAILED", [Kind.STACK_STUCK] * 5),
        (STACKS, "UPDATE_ROLLBACK_COMPLETE", [Kind.STACK_ROLLED_BACK] * 5),
        (STACKS, "UPDATE_IN_PROGRESS", [Kind.STACK_BUSY] * 5),
    ],
)
def test_the_state_of_stacks(names, state, expected):
    assert kinds(check_stacks(platform({"DescribeStacks": stacks(*names, state=state)}))) == expected


@pytest.mark.parametrize(
    ("deployed", "bucket", "database", "adopt", "expected"),
    [
        ((), Refused("404"), Refused("EntityNotFoundException"), False, []),
        ((), {}, Refused("EntityNotFoundException"), False, [Kind.NAME_LEFT]),
        ((), Refused("404"), {"Database": {"Name": "totesys_dev"}}, False, [Kind.NAME_LEFT]),
        ((), {}, {"Database": {"Name": "totesys_dev"}}, True, []),
        ((), {}, Refused("EntityNotFoundException"), True, [Kind.NOTHING_TO_ADOPT]),
        (STACKS, {}, {"Database": {"Name": "totesys_dev"}}, False, []),
    ],
)
def test_names_that_an_earlier_deployment_has_left(deployed, bucket, database, adopt, expected):
    answers = {"DescribeStacks": stacks(*deployed), "HeadBucket": bucket, "GetDatabase": database}
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/theirs"
    found = list(check_names(platform(answers, **({"adopt": True, "key_arn": key} if adopt else {}))))
    assert kinds(found) == expected
    if expected == [Kind.NAME_LEFT] and bucket == {}:
        assert f"bucket totesys-dev-processed-{ACCOUNT}-{REGION}" in texts(found) and "adopt" in texts(found)


MADE = {"DescribeStacks": stacks(*STACKS), "DescribeSecret": {"ARN": ARN}}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"GetSecretValue": secret()}, None),
        ({"GetSecretValue": {"SecretString": '{"unset": "x7Yq"}'}}, Kind.SECRET_EMPTY),
        ({"GetSecretValue": {}}, Kind.SECRET_EMPTY),
        ({"GetSecretValue": Refused("ResourceNotFoundException")}, Kind.SECRET_EMPTY),
        ({"GetSecretValue": {"SecretString": "postgresql://jane_roe:hunter2@db.internal/"}}, Kind.SECRET_UNUSABLE),
        ({"GetSecretValue": {"SecretString": "[]"}}, Kind.SECRET_UNUSABLE),
        ({"GetSecretValue": secret(host=None)}, Kind.SECRET_UNUSABLE),
        ({"GetSecretValue": secret(port="hunter2")}, Kind.SECRET_UNUSABLE),
        ({"DescribeSecret": {"ARN": ARN, "DeletedDate": datetime(2024, 1, 1)}}, Kind.SECRET_IN_DELETION),
        ({"DescribeSecret": Refused("ResourceNotFoundException")}, Kind.SECRET_MISSING),
        ({"DescribeStacks": stacks()}, Kind.SECRET_LEFT),
        ({"DescribeStacks": stacks(), "DescribeSecret": Refused("ResourceNotFoundException")}, None),
    ],
)
def test_the_shape_of_secrets(answers, expected):
    found = list(check_secrets(platform({**MADE, **answers})))
    assert kinds(found) == ([expected] * 2 if expected else [])
    assert "totesys-dev/source" in texts(found) and "totesys-dev/warehouse" in texts(found)


def test_a_secret_of_the_settings_must_be_there_before_the_first_deployment():
    there = {"DescribeStacks": stacks(), "GetSecretValue": secret()}

    def described(asked):
        return {"ARN": ARN} if asked["SecretId"] == ARN else Refused("ResourceNotFoundException")

    found = list(check_secrets(platform({**there, "DescribeSecret": described}, source_secret_arn=ARN)))
    assert kinds(found) == [] and "has all fields" in found[0].found
    gone = {**there, "DescribeSecret": Refused("ResourceNotFoundException")}
    assert kinds(check_secrets(platform(gone, source_secret_arn=ARN))) == [Kind.SECRET_MISSING]
