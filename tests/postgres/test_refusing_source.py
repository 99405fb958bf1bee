"""A source that refuses to tell what it is: read all the same, and believed less."""

import json

import pytest

from contracts.protocol.object_layout import manifest_key
from lambdas.errors import SourceReadError
from tests.support.refusing import FAILS, HANGS, REVOKED, refusing_login, store

ALL = ["system_identifier (42501)", "timeline (42501)"]


def _manifest(pipeline, batch):
    return pipeline.document(pipeline.ingestion, manifest_key(batch))


def _pay(pipeline):
    with pipeline.source() as connection:
        connection.execute("update payment set paid = not paid where payment_id = 1")


@pytest.mark.parametrize(
    ("refusals", "refused"), [(FAILS, ["timeline (55000)"]), (REVOKED, ALL)], ids=["fails when called", "is revoked"]
)
def test_g1_what_the_source_refuses_is_left_out_and_changes_are_read_all_the_same(pipeline, refusals, refused, caplog):
    with refusing_login(pipeline, refusals):
        assert pipeline.extract()["batch"] == 1
        assert f"refuses to tell its {', '.join(refused)}" in caplog.text
        identity = _manifest(pipeline, 1)["source"]
        assert identity["refused"] == refused and identity["timeline"] is None and identity["database_oid"]
        assert (identity["system_identifier"] is None) is (len(refused) == 2)
        assert pipeline.extract()["reason"] == "nothing changed"
        _pay(pipeline)
        outcome = pipeline.extract()
        assert (outcome["batch"], outcome["reason"], outcome["rows"]) == (2, "", {"payment": 1})
        assert caplog.text.count("refuses to tell") == 1


def test_g1_a_source_that_refuses_now_and_did_not_before_is_read_whole_and_back(pipeline):
    assert pipeline.extract()["batch"] == 1
    assert _manifest(pipeline, 1)["source"]["refused"] == []
    with refusing_login(pipeline, FAILS):
        assert "told its timeline before (1) and refuses to tell it now" in pipeline.extract()["reason"]
        assert _manifest(pipeline, 2)["tables"]["payment"]["read"] == "whole"
        assert pipeline.extract()["batch"] is None
    store(pipeline, "source", pipeline.source_url)
    assert "refused to tell its timeline before and tells it now (1)" in pipeline.extract()["reason"]


def test_g1_another_history_is_found_although_neither_timeline_nor_restart_tells(pipeline):
    """As after a copy of the server's memory and files was put back: the row versions are others than the batch before saw."""
    with refusing_login(pipeline):
        assert pipeline.extract()["batch"] == 1
        _pay(pipeline)
        assert pipeline.extract()["batch"] == 2
        assert pipeline.extract()["batch"] is None
        document = _manifest(pipeline, 2)
        (row,) = document["tables"]["payment"]["witness"]["rows"]
        row[1] -= 1
        pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=manifest_key(2), Body=json.dumps(document).encode())
        reason = pipeline.extract()["reason"]
        assert "although its server says that it ran on: row 1 of payment is of transaction" in reason


def test_a_question_that_takes_too_long_is_no_refusal(pipeline, monkeypatch):
    monkeypatch.setenv("STATEMENT_TIMEOUT_SECONDS", "1")
    with refusing_login(pipeline, HANGS), pytest.raises(SourceReadError, match=r"took or waited too long \(57014\)"):
        pipeline.extract()
    assert pipeline.keys(pipeline.ingestion) == []
