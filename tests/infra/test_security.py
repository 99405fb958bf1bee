"""cdk-nag finds nothing that is not acknowledged, and a wildcard needs a reason."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from cdk_nag import AwsSolutionsChecks

import app as composition
from cdk_app.policy import allow
from cdk_app.settings import read_settings
from tests.infra.conftest import CDK_JSON, OVERRIDES


@pytest.mark.parametrize("name", ["dev", "prod", "local"])
@pytest.mark.parametrize("principal", [None, "arn:aws:quicksight:eu-west-2:111111111111:user/default/me"])
def test_no_finding_is_left(tmp_path, name, principal):
    app = cdk.App(outdir=str(tmp_path), context=CDK_JSON["context"])
    context = {"env": name, **OVERRIDES, "quicksight_principal": principal, "alarm_email": "a@example.com"}
    composition.build(app, read_settings(context, CDK_JSON["context"]["environments"]))
    app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text())
    assert [r for r in report["pluginReports"] if r["violations"]] == []


def test_the_check_above_can_fail(tmp_path):
    app = cdk.App(outdir=str(tmp_path))
    stack = cdk.Stack(app, "S")
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    role.add_to_principal_policy(iam.PolicyStatement(actions=["s3:GetObject"], resources=["*"]))
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="AwsSolutions-IAM5"):
        app.synth()


def test_a_wildcard_without_a_reason_is_refused():
    stack = cdk.Stack(cdk.App(), "S")
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    with pytest.raises(ValueError, match="say why"):
        allow(role, ["s3:GetObject"], [f"arn:{stack.partition}:s3:::b/*"])
