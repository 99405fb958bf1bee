"""cdk-nag finds nothing that is not acknowledged, and a wildcard needs a reason."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam

import app as composition
from cdk_app.policy import allow
from cdk_app.settings import read_settings
from tests.infra.conftest import CDK_JSON, KEY, OVERRIDES, SECRETS


def _composed(directory, **overrides):
    app = cdk.App(outdir=str(directory), context=CDK_JSON["context"])
    context = {**OVERRIDES, "alarm_email": "a@example.com", **overrides}
    composition.build(app, read_settings(context, CDK_JSON["context"]["environments"]))
    return app


@pytest.mark.parametrize("name", ["dev", "prod", "local"])
@pytest.mark.parametrize("principal", [None, "arn:aws:quicksight:eu-west-2:111111111111:user/default/me"])
def test_no_finding_is_left(tmp_path, name, principal):
    _composed(tmp_path, env=name, quicksight_principal=principal).synth()
    assert _findings(tmp_path) == []


@pytest.mark.parametrize(
    "variant",
    [
        {"env": "dev", "customer_key": "true"},
        {"env": "prod", "customer_key": "false"},
        {"env": "prod", "key_arn": KEY},
        {"env": "prod", "key_arn": KEY, "adopt": "true", **SECRETS},
        {"env": "local", "keep_data": "true", "key_arn": KEY, "adopt": "true", **SECRETS},
    ],
)
def test_no_finding_is_left_with_another_key_or_what_an_earlier_deployment_left(tmp_path, variant):
    _composed(tmp_path, **variant).synth()
    assert _findings(tmp_path) == []


def _findings(directory):
    return json.loads((directory / "validation-report.json").read_text())["pluginReports"]


def test_a_finding_stops_the_synthesis(tmp_path):
    """Without this, an app that is not looked at would pass the test above."""
    app = _composed(tmp_path, env="prod")
    stack = app.node.find_child("totesys-prod-pipeline")
    role = iam.Role(stack, "Planted", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    role.add_to_principal_policy(iam.PolicyStatement(actions=["s3:GetObject"], resources=["*"]))
    with pytest.raises(RuntimeError, match=r"(?s)Planted.*AwsSolutions-IAM5"):
        app.synth()


def test_a_wildcard_without_a_reason_is_refused():
    stack = cdk.Stack(cdk.App(), "S")
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    with pytest.raises(ValueError, match="say why"):
        allow(role, ["s3:GetObject"], [f"arn:{stack.partition}:s3:::b/*"])
