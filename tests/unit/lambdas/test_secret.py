"""Secrets: malformed ones are explained, and none is ever shown."""

import json

import pytest
from botocore.exceptions import ClientError

from lambdas.errors import SecretError
from lambdas.secret import read_connection_details

GOOD = {"host": "db", "port": 5433, "dbname": "totesys", "username": "u", "password": "hunter2"}


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
        ('{"unset": "hunter2"}', "host"),
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
