"""AWS whose answers a test gives: real clients, so that questions and answers are checked against the services' models."""

from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.validate import validate_parameters

from operate.doctor.permissions import PERMISSIONS


class Refused(str):
    """An answer that is an error, with this code."""


class FakeAws:
    """Clients of services.

    Parameters
    ----------
    answers
        ``Operation`` → the answer, a `Refused`, or a function of the parameters that returns either.

    Attributes
    ----------
    asked
        Operations with their parameters, in the order in which they were asked.
    """

    current: "FakeAws"

    def __init__(self, answers: dict[str, Any], region: str | None = None) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.region = region
        FakeAws.current = self

    def client(self, service: str, region: str | None = None) -> Any:
        return _client(service, region or "eu-west-2")


@cache
def _client(service: str, region: str) -> Any:
    session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name=region)
    client = session.client(service, endpoint_url="http://127.0.0.1:1")
    client.meta.events.register("before-parameter-build.*.*", _remember)
    client.meta.events.register("before-call.*.*", _answer)
    return client


def _remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["asked"] = dict(params)


def _answer(model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
    assert model.name in PERMISSIONS, f"PERMISSIONS lacks {model.name}"
    fake, asked = FakeAws.current, context["asked"]
    fake.asked.append((model.name, asked))
    answer = fake.answers[model.name]
    if callable(answer):
        answer = answer(asked)
    if isinstance(answer, Refused):
        return SimpleNamespace(status_code=400), {"Error": {"Code": str(answer), "Message": "secret words"}}
    validate_parameters(answer, model.output_shape)
    return SimpleNamespace(status_code=200), answer
