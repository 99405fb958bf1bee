"""What the tests of the doctor share: a deployment whose AWS answers what a test says."""

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cdk_app.settings import Settings
from operate.doctor.finding import Finding, Level
from operate.doctor.kinds import Kind
from operate.doctor.platform import Platform
from tests.support.aws import FakeAws

ACCOUNT, REGION = "222222222222", "eu-west-2"
LOGIN = {"host": "db.internal", "port": 5432, "dbname": "totesys", "username": "jane_roe", "password": "hunter2"}


def platform(answers: dict[str, Any], **settings: Any) -> Platform:
    return Platform(Settings(environment="dev", **settings), FakeAws(answers).client, ACCOUNT, REGION)


def kinds(findings: Iterable[Finding]) -> list[Kind]:
    """The kinds that were found, once each; what is found must be worth reading, and its remedy filled."""
    found = list(findings)
    for finding in found:
        assert finding.found and not re.search(r"\{\w+\}", finding.found + finding.remedy)
        assert bool(finding.remedy) == (finding.level is not Level.OK)
        assert not any(word in finding.found + finding.remedy for word in ("db.internal", "jane_roe", "hunter2"))
    return [Kind[finding.kind] for finding in found if finding.level is not Level.OK]


def texts(findings: Iterable[Finding]) -> str:
    return "\n".join(f"{finding.found} → {finding.remedy}" for finding in findings)


def stacks(*names: str, state: str = "UPDATE_COMPLETE") -> Any:
    """The answer of DescribeStacks where these stacks are there, and one of somebody else."""
    found = [*(f"totesys-dev-{name}" for name in names), "another"]
    return {
        "Stacks": [{"StackName": name, "StackStatus": state, "CreationTime": datetime(2024, 1, 1)} for name in found]
    }


def secret(**changes: Any) -> dict[str, Any]:
    """The answer of GetSecretValue with a usable login, but for the changes; None takes a field away."""
    value = {name: field for name, field in {**LOGIN, **changes}.items() if field is not None}
    return {"SecretString": json.dumps(value)}
