"""Secrets: malformed ones are explained, and none is ever shown."""

import json

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from lambdas.authorities import RDS_AUTHORITIES
from lambdas.errors import NetworkError, SecretError, SecretUnsetError
from lambdas.secret import read_connection_details
from tools.rds_authorities import authorities

GOOD = {"host": "db", "port": 5433, "dbname": "totesys", "username": "u", "password": "hunter2"}


PEM = authorities(RDS_AUTHORITIES.read_text())[0].pem


class FakeSecrets:
    def __init__(self, text=None, code=None):
        self.text, self.code = text, code

    def get_secret_value(self, SecretId):
        if self.code:
            raise ClientError({"Error": {"Code": self.code, "Message": "hunter2"}}, "GetSecretValue")
        return {"SecretString": self.text}


def test_a_good_secret_is_read_and_its_password_is_not_shown():
    details = read_connection_details(FakeSecrets(json.dumps({**GOOD, "engine": "postgres"})), "s")
    assert (details.host, details.port, details.password.get_secret_value()) == ("db", 5433, "hunter2")
    assert "hunter2" not in repr(details) + str(details)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "not JSON"),
        ("hunter2", "not JSON"),
        ('"hunter2"', "malformed"),
        ('["hunter2"]', "malformed"),
        ('{"unset": "hunter2", "host": "db"}', "dbname: Field required"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "host"}), "host: Field required"),
        (json.dumps({"username": "u", "password": "hunter2"}), "host: Field required; dbname: Field required"),
        (json.dumps({**GOOD, "password": 5}), "password"),
        (json.dumps({**GOOD, "ca_certificate": "hunter2"}), "ca_certificate: Value error, it is no certificate in PEM"),
        (json.dumps({**GOOD, "ca_certificate": PEM.replace("\n", "\\n")}), "ca_certificate.*its lines as they are"),
        (json.dumps({**GOOD, "port": "hunter2"}), "port"),
        (json.dumps({**GOOD, "port": 0}), "port"),
        (json.dumps({**GOOD, "username": ""}), "username"),
        (json.dumps({**GOOD, "dbname": 5}), "dbname"),
    ],
)
def test_g12_a_malformed_secret_is_explained_without_its_content(text, problem):
    with pytest.raises(SecretError, match=problem) as refused:
        read_connection_details(FakeSecrets(text), "my-secret")
    assert "my-secret" in str(refused.value) and "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None and refused.value.__suppress_context__


def test_g12_a_secret_that_cannot_be_read_names_the_code():
    with pytest.raises(SecretError, match="AccessDeniedException") as refused:
        read_connection_details(FakeSecrets(code="AccessDeniedException"), "my-secret")
    assert "hunter2" not in str(refused.value)


def test_a_secret_that_nobody_has_filled_is_told_from_a_wrong_one():
    with pytest.raises(
        SecretUnsetError, match=r"my-secret is not filled yet\. Store a JSON object with host"
    ) as refused:
        read_connection_details(FakeSecrets('{"unset": "hunter2"}'), "my-secret")
    assert "hunter2" not in str(refused.value)


def test_a_binary_secret_is_told():
    class Binary:
        def get_secret_value(self, SecretId):
            return {"SecretBinary": b"hunter2"}

    with pytest.raises(SecretError, match="my-secret is binary, not text") as refused:
        read_connection_details(Binary(), "my-secret")
    assert "hunter2" not in str(refused.value)


def test_a_secret_may_hold_more_than_is_needed_up_to_the_64_kib_that_aws_takes():
    more = {**GOOD, "engine": "postgres", "masterarn": "arn", "ca_certificate": PEM * 52, "notes": "x" * 4000}
    assert 50_000 < len(json.dumps(more)) < 2**16
    assert read_connection_details(FakeSecrets(json.dumps(more)), "s").ca_certificate == (PEM * 52).strip()


@pytest.mark.parametrize("error", [ConnectTimeoutError, EndpointConnectionError])
def test_a_subnet_without_a_route_to_secrets_manager_is_told(error):
    class Unreached:
        def get_secret_value(self, SecretId):
            raise error(endpoint_url="https://secretsmanager.eu-west-2.amazonaws.com/", error="timed out")

    with pytest.raises(
        NetworkError, match=r"my-secret cannot be read.*NAT gateway, or secretsmanager in vpc_endpoints"
    ) as told:
        read_connection_details(Unreached(), "my-secret")
    assert told.value.__suppress_context__
