"""A query leaves the environment as it was: the process may have clients of another endpoint."""

import os

import pytest

from local.query import query


def test_a_query_changes_the_environment_for_itself_only(monkeypatch):
    import awswrangler as wr

    seen = []

    def read(*_, **__):
        seen.append(os.environ["AWS_ENDPOINT_URL"])
        raise RuntimeError

    monkeypatch.setattr("local.query.session", lambda _: None)
    monkeypatch.setattr(wr.athena, "read_sql_query", read)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("AWS_REGION", raising=False)
    platform = {"endpoint": "http://127.0.0.1:2", "region": "eu-west-2", "database": "d", "workgroup": "w"}
    with pytest.raises(RuntimeError):
        query(platform, "select 1")
    assert seen == ["http://127.0.0.1:2"]
    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1" and "AWS_REGION" not in os.environ
