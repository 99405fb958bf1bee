"""A login that is rotated in mid-run."""

import json

import pytest

from lambdas import database
from lambdas.database import open_database
from lambdas.errors import DatabaseUnreachableError, LoginRefusedError, SecretUnsetError


@pytest.fixture
def secrets(monkeypatch):
    """A secret whose versions are read one after the other, and a database that takes the password ``new``."""
    versions, paused, tried = [], [], []

    class Client:
        def get_secret_value(self, SecretId):
            return {"SecretString": versions.pop(0)}

    def connect(details, *, secret_id, **options):
        tried.append((details.password.get_secret_value(), secret_id, options))
        if details.host == "gone":
            raise DatabaseUnreachableError("gone")
        if details.password.get_secret_value() != "new":
            raise LoginRefusedError("refused")
        return "connection"

    monkeypatch.setattr(database.clients, "client", lambda service: {"secretsmanager": Client()}[service])
    monkeypatch.setattr(database, "connect", connect)
    monkeypatch.setattr(database.time, "sleep", paused.append)
    return versions, paused, tried


def _secret(password, host="db"):
    return json.dumps({"host": host, "dbname": "d", "username": "u", "password": password})


def test_a_login_that_is_refused_is_tried_once_more_with_what_the_secret_then_holds(secrets):
    versions, paused, tried = secrets
    versions += [_secret("old"), _secret("new")]
    assert open_database("s", what="source") == "connection"
    assert tried == [("old", "s", {"what": "source"}), ("new", "s", {"what": "source"})]
    assert paused == [database.PAUSE_SECONDS]


def test_who_comes_back_by_itself_does_not_wait(secrets):
    versions, paused, tried = secrets
    versions += [_secret("old"), _secret("new")]
    with pytest.raises(LoginRefusedError):
        open_database("s", is_tried_again=False)
    assert len(tried) == 1 and not paused


def test_a_good_login_reads_the_secret_once(secrets):
    versions, paused, _ = secrets
    versions += [_secret("new"), _secret("other")]
    assert open_database("s") == "connection" and len(versions) == 1 and not paused


def test_a_wrong_login_is_tried_twice_and_no_more(secrets):
    versions, _, tried = secrets
    versions += [_secret("old")] * 3
    with pytest.raises(LoginRefusedError):
        open_database("s")
    assert len(tried) == 2 and len(versions) == 1


@pytest.mark.parametrize(
    ("version", "error"),
    [(_secret("old", host="gone"), DatabaseUnreachableError), ('{"unset": "x"}', SecretUnsetError)],
)
def test_nothing_else_is_tried_again(secrets, version, error):
    versions, paused, _ = secrets
    versions += [version, _secret("new")]
    with pytest.raises(error):
        open_database("s")
    assert len(versions) == 1 and not paused
