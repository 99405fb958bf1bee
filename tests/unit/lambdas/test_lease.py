"""The lease's key and its statement; and how many invocations a chain of them has."""

import json
from types import SimpleNamespace

import pytest

from contracts.protocol.steps import ExtractAnswer
from lambdas.extract import continuation, handler
from lambdas.extract.continuation import LINKS, invoke_again
from lambdas.extract.lease import lease_key, lease_statement
from tests.support.pipeline import lambda_context


def test_the_key_is_a_bigint_and_each_bucket_has_another_one():
    keys = {lease_key(f"totesys-{name}-ingestion") for name in range(1000)}
    assert len(keys) == 1000 and all(-(2**63) <= key < 2**63 for key in keys)
    assert lease_key("b") == lease_key("b") == -3533055703936744737, "another release must know the same lock"


@pytest.mark.parametrize(
    ("version", "has_user_timeout", "has_check"), [(110022, False, False), (130000, True, False), (140000, True, True)]
)
def test_a_server_is_asked_for_what_it_knows(version, has_user_timeout, has_check):
    statement, values = lease_statement(7, {"lock_timeout": "1s"}, version)
    assert statement.startswith("select pg_try_advisory_xact_lock(%s), set_config(%s, %s, true)")
    assert values[:3] == [7, "lock_timeout", "1s"] and statement.replace("%%", "").count("%s") == len(values)
    assert ("tcp_user_timeout" in values, "client_connection_check_interval" in statement) == (
        has_user_timeout,
        has_check,
    )
    assert "tcp_keepalives_idle" in values


@pytest.fixture
def invoked(monkeypatch):
    calls = []
    client = SimpleNamespace(invoke=lambda **arguments: calls.append(json.loads(arguments["Payload"])))
    monkeypatch.setattr(continuation.clients, "client", lambda _: client)
    return calls


def test_each_link_counts_and_after_the_last_the_schedule_goes_on(invoked):
    for link in range(LINKS + 3):
        invoke_again("f", 3, link)
    assert invoked == [{"continues": 3, "link": link + 1} for link in range(LINKS)]
    assert LINKS < 16, "Lambda stops a function that has invoked itself about 16 times in a row"


@pytest.mark.parametrize(("event", "links"), [({"continues": 4, "link": 3}, [4]), ({"trigger": "schedule"}, [1])])
def test_the_function_hands_the_count_on_and_the_schedule_begins_at_none(invoked, monkeypatch, event, links):
    unfinished = ExtractAnswer(batch=5, is_whole=False, reason="", rows={})
    monkeypatch.setattr(handler, "extract", lambda *_, **__: unfinished)
    monkeypatch.setattr(handler, "oldest_unloaded_batch_age", lambda _: 0.0)
    for name in ("INGESTION_BUCKET", "PROCESSED_BUCKET", "SOURCE_SECRET"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "totesys-test-extract")
    handler.handler(event, lambda_context())
    assert [call["link"] for call in invoked] == links
