"""The roles of GitHub Actions: whom they trust, and how little they may do."""

import json
import os
import subprocess
import sys

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from cdk_app.github_app import build, given
from cdk_app.github_stack import read_github_settings
from cdk_app.settings import SettingsError
from local.home import ROOT

PROVIDER = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
PLACE = {"account": "111111111111", "region": "eu-west-2"}


def _template(directory, **settings):
    app = cdk.App(outdir=str(directory), context={"@aws-cdk/core:enablePartitionLiterals": True})
    stack = build(
        app, read_github_settings({"repository": "terrific/totes", "environment": "prod", **PLACE, **settings})
    )
    app.synth()
    assert json.loads((directory / "validation-report.json").read_text())["pluginReports"] == []
    return Template.from_stack(stack)


def _roles(template):
    roles = template.find_resources("AWS::IAM::Role")
    return {r["Properties"]["RoleName"].rpartition("-")[2]: (name, r["Properties"]) for name, r in roles.items()}


def _statements(template, role):
    (logical_id, _) = _roles(template)[role]
    policies = [p["Properties"] for p in template.find_resources("AWS::IAM::Policy").values()]
    return [s for p in policies if p["Roles"] == [{"Ref": logical_id}] for s in p["PolicyDocument"]["Statement"]]


def test_only_one_repository_takes_each_role_for_one_purpose(tmp_path):
    template = _template(tmp_path)
    claims = {}
    for name, (_, role) in _roles(template).items():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Action"] == "sts:AssumeRoleWithWebIdentity" and [*trust["Condition"]] == ["StringEquals"]
        claims[name] = trust["Condition"]["StringEquals"]
    issuer = "token.actions.githubusercontent.com"
    subjects = {"deploy": "repo:terrific/totes:environment:prod", "diff": "repo:terrific/totes:pull_request"}
    assert claims == {
        name: {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": subject} for name, subject in subjects.items()
    }


def test_the_role_that_deploys_may_take_three_roles_of_the_bootstrap_and_nothing_else(tmp_path):
    (statement,) = _statements(_template(tmp_path), "deploy")
    assert statement == {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Resource": [
            f"arn:aws:iam::111111111111:role/cdk-hnb659fds-{name}-role-111111111111-eu-west-2"
            for name in ("deploy", "file-publishing", "lookup")
        ],
    }


def test_the_role_that_compares_may_read_templates_of_one_environment_and_nothing_else(tmp_path):
    (statement,) = _statements(_template(tmp_path), "diff")
    assert statement == {
        "Effect": "Allow",
        "Action": ["cloudformation:DescribeStacks", "cloudformation:GetTemplate"],
        "Resource": "arn:aws:cloudformation:eu-west-2:111111111111:stack/totesys-prod-*",
    }


def test_the_roles_have_no_other_policies(tmp_path):
    template = _template(tmp_path)
    for _, role in _roles(template).values():
        assert not {"ManagedPolicyArns", "Policies"} & set(role)
    assert len(template.find_resources("AWS::IAM::Policy")) == len(_roles(template)) == 2
    assert len(template.to_json()["Resources"]) == 5


def test_the_provider_is_made_and_kept_or_taken_as_it_is(tmp_path):
    made = _template(tmp_path / "made").find_resources("AWS::IAM::OIDCProvider")
    (provider,) = made.values()
    assert provider["Properties"]["ClientIdList"] == ["sts.amazonaws.com"] and provider["DeletionPolicy"] == "Retain"
    taken = _template(tmp_path / "taken", provider_arn=PROVIDER)
    assert not taken.find_resources("AWS::IAM::OIDCProvider")
    trusted = [r["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] for _, r in _roles(taken).values()]
    assert trusted == [{"Federated": PROVIDER}] * 2


def test_a_subject_with_numbers_is_taken_as_github_writes_it(tmp_path):
    template = _template(tmp_path, repository="terrific@12/totes@34", qualifier="mine")
    text = json.dumps(template.to_json())
    assert "repo:terrific@12/totes@34:pull_request" in text and "role/cdk-mine-deploy-role-" in text


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"repository": "totes"}, "repository='totes'"),
        ({"repository": "terrific/*"}, "repository"),
        ({"repository": "terrific/totes:environment"}, "repository"),
        ({"repository": "*/totes"}, "repository"),
        ({"repository": "https://github.com/terrific/totes"}, "repository"),
        ({"environment": "Prod"}, "environment"),
        ({"environment": "*"}, "environment"),
        ({"provider_arn": "arn:aws:iam::111111111111:oidc-provider/example.com"}, "provider_arn"),
        ({"qualifier": "a*"}, "qualifier"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_setting_is_named(settings, problem):
    with pytest.raises(SettingsError, match=problem.replace("*", r"\*")):
        read_github_settings({"repository": "terrific/totes", **settings})


def test_the_place_is_that_of_the_environment():
    context = {
        "env": "prod",
        "environments": {"prod": PLACE | {"glue_workers": 10}},
        "repository": "a/b",
        "provider_arn": "",
    }
    assert given(context) == {"environment": "prod", "repository": "a/b", **PLACE}
    assert given({}) == {"environment": "dev"}


def test_the_command_says_what_it_needs():
    done = subprocess.run(
        [sys.executable, "-m", "cdk_app.github_app"],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "make github-role REPOSITORY=" in done.stderr and "repository=''" in done.stderr
