"""AWS clients of the functions."""

import pytest

from lambdas import clients


@pytest.fixture
def made(monkeypatch):
    services = []
    monkeypatch.setattr(clients.boto3, "client", lambda service: services.append(service) or object())
    clients.client.cache_clear()
    yield services
    clients.client.cache_clear()


def test_an_execution_environment_makes_a_client_once(made):
    assert clients.client("s3") is clients.client("s3")
    assert clients.client("sns") is not clients.client("s3")
    assert made == ["s3", "sns"]
