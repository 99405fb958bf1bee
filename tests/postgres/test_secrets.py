"""Secrets over their life: not filled yet, filled, rotated while a run is at work."""

from contextlib import closing

import psycopg
import pytest

from contracts.metrics import SOURCE_CHECKED
from contracts.protocol.steps import ExtractAnswer, LoadAnswer
from contracts.protocol.strict_json import read
from lambdas import database
from lambdas.errors import LoginRefusedError, SecretUnsetError
from lambdas.extract.guest import Guest
from lambdas.load.session import open_warehouse
from lambdas.load.settings import LoadSettings
from tests.support.metrics import emitted
from tests.support.refusing import store


def _empty(pipeline, name):
    """What a deployment makes of a secret, as `cdk_app.database_secret` says."""
    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets[name], SecretString='{"unset":"x8Qm"}'
    )


def test_without_a_login_the_extraction_waits_without_an_error_and_checks_nothing(pipeline):
    _empty(pipeline, "source")
    answer = read(ExtractAnswer, pipeline.extract(), "answer")
    assert answer.waits and answer.batch is None and answer.rows == {}
    assert answer.reason.startswith(
        f"waiting for the secret: Secret {pipeline.secrets['source']} is not filled yet. Store"
    )
    assert pipeline.keys(pipeline.ingestion) == []
    found = emitted("lambdas.extract.handler.handler", "f-extract", pipeline.variables, {})
    assert found and SOURCE_CHECKED not in {metric.name for metric in found}  # its alarm says that nobody filled it
    store(pipeline, "source", pipeline.source_url)
    assert pipeline.extract()["batch"] == 1


def test_without_a_login_the_load_waits_without_an_error_and_says_what_waits_with_it(pipeline):
    assert pipeline.extract()["batch"] == 1
    _empty(pipeline, "warehouse")
    assert pipeline.load({"step": "check_pending"})["untransformed"] == 1
    answer = read(LoadAnswer, pipeline.load(), "answer")
    assert answer.reason.startswith(f"waiting for the secret: Secret {pipeline.secrets['warehouse']} is not filled yet")
    assert (answer.loaded, answer.last, answer.wanted) == ((), 0, 0) and answer.freshness > 0
    store(pipeline, "warehouse", pipeline.warehouse_url)
    assert "reason" not in pipeline.load()


def test_what_a_person_asks_for_without_a_login_is_an_error(pipeline):
    _empty(pipeline, "warehouse")
    with pytest.raises(SecretUnsetError, match="not filled yet"):
        pipeline.load({"step": "drop_columns", "columns": "fact_payment.note"})


@pytest.fixture
def rotating(pipeline, monkeypatch):
    """Rotate a login as Secrets Manager does: the database's first; the secret has it when somebody has waited."""
    roles = []

    def rotate(name):
        url = pipeline.source_url if name == "source" else pipeline.warehouse_url
        role = f"rotated_{name}"
        with psycopg.connect(url) as connection:
            if role not in roles:
                roles.append(role)
                connection.execute(f"create role {role} superuser login")
            connection.execute(f"alter role {role} password 'new'")
        before, after = (url.replace(f"postgres:secret-{name}", f"{role}:{word}") for word in ("old", "new"))
        store(pipeline, name, before)
        monkeypatch.setattr(database.time, "sleep", lambda seconds: store(pipeline, name, after))

    yield rotate
    for role in roles:
        with psycopg.connect(pipeline.source_url if role.endswith("source") else pipeline.warehouse_url) as connection:
            connection.execute(f"drop owned by {role}; drop role {role}")


def test_a_login_that_is_rotated_in_mid_run_needs_no_restart(pipeline, rotating):
    rotating("source")
    assert pipeline.extract()["batch"] == 1
    rotating("warehouse")
    with open_warehouse(LoadSettings()) as warehouse:
        assert warehouse.last_batch() == 0


class Quiet:
    """Looks for nobody."""

    def must_give_way(self):
        return False

    def close(self):
        pass


def test_the_second_connection_of_an_extraction_has_the_login_of_then(pipeline, rotating, monkeypatch):
    """While the secret is older than the login, the reading goes on without it; each look tries again, without a pause."""
    opened = []
    monkeypatch.setattr("lambdas.extract.run.Guest", lambda connect, *_: opened.append(connect) or Quiet())
    assert pipeline.extract()["batch"] == 1
    (connect,) = opened
    rotating("source")
    after = database.time.sleep
    monkeypatch.setattr(database.time, "sleep", lambda seconds: pytest.fail("the reading waits"))
    with closing(Guest(connect, 1, 1, iter(range(99)).__next__)) as guest:
        assert not guest.must_give_way() and guest._connection is None
        after(0)
        assert not guest.must_give_way() and guest._connection.info.user == "rotated_source"


def test_a_login_that_stays_wrong_is_told(pipeline, rotating, monkeypatch):
    rotating("source")
    monkeypatch.setattr(database.time, "sleep", lambda seconds: None)
    with pytest.raises(LoginRefusedError, match="Correct its username and password"):
        pipeline.extract()
