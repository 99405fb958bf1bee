"""Whose key encrypts what, and who may use it for what."""

import json
import re
from pathlib import Path

import pytest

from tests.infra.conftest import KEY
from tests.infra.test_adoption import imports_resolved, of_type, resources

DEPLOYING = (Path(__file__).parents[2] / "docs" / "deploying.md").read_text("utf-8")
S3 = ({"Decrypt", "GenerateDataKey"}, "s3.eu-west-2.amazonaws.com")
SECRET = ({"Decrypt"}, "secretsmanager.eu-west-2.amazonaws.com")
QUEUE = ({"Decrypt", "GenerateDataKey"}, "sqs.eu-west-2.amazonaws.com")
TOPIC = ({"Decrypt", "GenerateDataKey"}, "sns.eu-west-2.amazonaws.com")
#: The job encrypts its bookmarks itself: not through a service.
JOB = ({"Decrypt", "Encrypt", "GenerateDataKey"}, None)


@pytest.fixture(params=["its own", "another"])
def encrypted(request, synthesise):
    """Templates of prod, and what stands for the key in them."""
    if request.param == "another":
        return synthesise(alarm_email="a@example.com", key_arn=KEY), KEY
    templates = imports_resolved(synthesise(alarm_email="a@example.com"))
    (key,) = (name for name, r in templates["storage"].to_json()["Resources"].items() if r["Type"] == "AWS::KMS::Key")
    return templates, {"Fn::GetAtt": [key, "Arn"]}


def key_uses(templates):
    """Return for each role what it may do with a key: actions and through which service."""
    found = {}
    for name, resource in resources(templates).items():
        if resource["Type"] != "AWS::IAM::Policy":
            continue
        role = re.sub(r".*/|RoleDefaultPolicy.*", "", name)
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            if used := {a.removeprefix("kms:") for a in actions if a.startswith("kms:")}:
                through = statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService")
                found.setdefault(role, []).append((used, through, statement["Resource"]))
    return found


def test_data_rests_under_the_key_and_access_logs_under_amazons(encrypted):
    templates, key = encrypted
    rules = {
        p["BucketName"].split("-", 2)[2].rsplit("-", 4)[0]: p["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        for p in of_type(templates, "AWS::S3::Bucket")
    }
    by_key = [
        {
            "BucketKeyEnabled": True,
            "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
        }
    ]
    assert rules.pop("access-logs") == [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    assert rules == dict.fromkeys(("ingestion", "processed", "athena-results"), by_key)


def test_secrets_results_and_the_jobs_files_are_under_the_key(encrypted):
    templates, key = encrypted
    assert [p["KmsKeyId"] for p in of_type(templates, "AWS::SecretsManager::Secret")] == [key, key]
    (group,) = of_type(templates, "AWS::Athena::WorkGroup")
    results = group["WorkGroupConfiguration"]["ResultConfiguration"]["EncryptionConfiguration"]
    assert results == {"EncryptionOption": "SSE_KMS", "KmsKey": key}
    (security,) = of_type(templates, "AWS::Glue::SecurityConfiguration")
    files = security["EncryptionConfiguration"]["S3Encryptions"]
    assert files == [{"S3EncryptionMode": "SSE-KMS", "KmsKeyArn": key}]


def test_every_log_forgets_and_is_under_the_key(encrypted):
    templates, key = encrypted
    groups = {
        p["LogGroupName"]: (p["RetentionInDays"], p["KmsKeyId"]) for p in of_type(templates, "AWS::Logs::LogGroup")
    }
    job = "/aws-glue/jobs/totesys-prod-transform-role/totesys-prod-transform-job"
    names = [
        *(f"/aws/lambda/totesys-prod-{n}" for n in ("extract", "load", "notify")),
        "/aws/vendedlogs/states/totesys-prod-publish",
    ]
    assert groups == dict.fromkeys([*names, f"{job}/error", f"{job}/output"], (90, key))


def test_the_jobs_log_groups_are_named_after_its_security_configuration_and_role(prod):
    """As Glue 5 names them; a group of another name would stay empty, and Glue's own would have no retention."""
    (security,) = of_type(prod, "AWS::Glue::SecurityConfiguration")
    (role,) = (r["RoleName"] for r in of_type(prod, "AWS::IAM::Role") if "glue.amazonaws.com" in json.dumps(r))
    groups = {p["LogGroupName"] for p in of_type(prod, "AWS::Logs::LogGroup")}
    assert {f"/aws-glue/jobs/{security['Name']}-role/{role}/{stream}" for stream in ("error", "output")} <= groups


def test_each_role_may_use_the_key_for_what_it_does_and_no_more(encrypted):
    templates, key = encrypted
    found = key_uses(templates)
    assert all(resource == key for uses in found.values() for _, _, resource in uses)
    assert {role: [use[:2] for use in uses] for role, uses in found.items()} == {
        "Extract": [SECRET, S3],
        "Load": [QUEUE, SECRET, S3],
        "Notify": [QUEUE, S3, TOPIC],
        **{f"{name}Schedule": [QUEUE] for name in ("Extract", "Keys", "Recover", "Maintain")},
        "Transform": [JOB],
        "Publish": [TOPIC],
    }


def test_without_a_customers_key_amazons_encrypt_and_functions_may_use_none(synthesise):
    templates = synthesise(env="dev")
    for bucket in of_type(templates, "AWS::S3::Bucket"):
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert not [p for p in of_type(templates, "AWS::SecretsManager::Secret") if "KmsKeyId" in p]
    groups = {p["LogGroupName"]: p for p in of_type(templates, "AWS::Logs::LogGroup")}
    assert {name.split("/")[1] for name, p in groups.items() if "KmsKeyId" in p} == {"aws-glue"}
    assert {p["RetentionInDays"] for p in groups.values()} == {14}
    (group,) = of_type(templates, "AWS::Athena::WorkGroup")
    results = group["WorkGroupConfiguration"]["ResultConfiguration"]["EncryptionConfiguration"]
    assert results == {"EncryptionOption": "SSE_S3"}
    (security,) = of_type(templates, "AWS::Glue::SecurityConfiguration")
    assert security["EncryptionConfiguration"]["S3Encryptions"] == [{"S3EncryptionMode": "SSE-S3"}]
    assert set(key_uses(templates)) == {"Transform", "Publish", "Notify"}


def test_the_documented_policy_of_another_key_is_that_of_our_own(prod):
    (key,) = of_type(prod, "AWS::KMS::Key")
    statements = key["KeyPolicy"]["Statement"]
    (shown,) = re.findall(r"<!-- key policy -->\n```json\n(.*?)```", DEPLOYING, re.DOTALL)
    text = json.dumps(statements).replace("111111111111", "ACCOUNT").replace("eu-west-2", "REGION")
    assert json.loads(shown) == json.loads(text)


def test_the_key_is_used_by_services_for_this_account_only(prod):
    (key,) = of_type(prod, "AWS::KMS::Key")
    for statement in key["KeyPolicy"]["Statement"]:
        if "Service" in statement["Principal"]:
            assert "111111111111" in json.dumps(statement["Condition"])


def test_a_workgroup_in_which_queries_ran_can_be_deleted(prod):
    (group,) = of_type(prod, "AWS::Athena::WorkGroup")
    assert group["RecursiveDeleteOption"] is True


def test_tasks_of_the_state_machine_are_of_its_own_partition(synthesise):
    templates = synthesise(env="dev", region="cn-north-1")
    (machine,) = of_type(templates, "AWS::StepFunctions::StateMachine")
    text = json.dumps(machine["DefinitionString"])
    assert "arn:aws-cn:states:::lambda:invoke" in text and "arn:aws:states" not in text
