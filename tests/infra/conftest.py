"""The app synthesised in process, once for each environment under test."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from cdk_app.jsii_node import use_supported_node

use_supported_node()

import aws_cdk as cdk  # noqa: E402
from aws_cdk.assertions import Template  # noqa: E402

import app as composition  # noqa: E402
from cdk_app.settings import read_settings  # noqa: E402

CDK_JSON = json.loads((Path(__file__).parents[2] / "cdk.json").read_text("utf-8"))
#: Function bundles carry their dependencies in production; what is tested here does not depend on them.
OVERRIDES = {"lambda_wheels": False, "account": "111111111111", "region": "eu-west-2"}
#: A key and secrets that exist already.
KEY = "arn:aws:kms:eu-west-2:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SECRETS = {
    f"{name}_secret_arn": f"arn:aws:secretsmanager:eu-west-2:111111111111:secret:totesys-prod/{name}-AbCdEf"
    for name in ("source", "warehouse")
}


@cache
def _templates(overrides: tuple[tuple[str, object], ...]) -> dict[str, Template]:
    app = cdk.App(context=CDK_JSON["context"])
    settings = read_settings({**OVERRIDES, **dict(overrides)}, CDK_JSON["context"]["environments"])
    composition.build(app, settings)
    app.synth()
    return {
        stack.stack_name.removeprefix(settings.prefix + "-"): Template.from_stack(stack)
        for stack in app.node.children
        if isinstance(stack, cdk.Stack)
    }


@pytest.fixture(scope="session")
def synthesise() -> Callable[..., dict[str, Template]]:
    """Return templates by stack for an environment and overriding settings."""
    return lambda **overrides: _templates(tuple(sorted({"env": "prod", **overrides}.items())))


@pytest.fixture
def prod(synthesise) -> dict[str, Template]:
    return synthesise(alarm_email="data@example.com")
