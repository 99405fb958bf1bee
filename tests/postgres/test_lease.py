"""One extraction at a time: the lease in the source, who waits for it, and holders that die."""

import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psycopg
import pytest

from contracts.protocol.bucket import Bucket
from contracts.protocol.object_layout import manifest_key
from lambdas.errors import AnotherExtractionError
from lambdas.extract import run
from lambdas.extract.lease import lease_key
from lambdas.extract.settings import ExtractSettings
from local.home import ROOT

HOLDER = """
import sys, psycopg
from lambdas.extract.snapshot import open_snapshot
with psycopg.connect(sys.argv[1], application_name="holder") as connection:
    with open_snapshot(connection, schema="public", lease=int(sys.argv[2]), statement_timeout_seconds=600,
                       lock_timeout_seconds=1):
        print("held", flush=True)
        connection.execute("select pg_sleep(300)")
"""


@contextmanager
def _another_extraction(pipeline, bucket=""):
    with psycopg.connect(pipeline.source_url) as other:
        other.execute("select pg_advisory_xact_lock(%s)", [lease_key(bucket or pipeline.ingestion)])
        yield other


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(run, "PATIENCE_SECONDS", 0)


def test_an_ordinary_run_beside_another_one_ends_without_a_batch_and_has_checked_nothing(pipeline, impatient, capsys):
    with _another_extraction(pipeline):
        outcome = pipeline.extract()
    assert (outcome["batch"], outcome["waits"]) == (None, True) and "another extraction is at work" in outcome["reason"]
    assert '"SourceChecked"' not in capsys.readouterr().out
    assert pipeline.keys(pipeline.ingestion) == []
    assert pipeline.extract()["batch"] == 1
    assert '"SourceChecked"' in capsys.readouterr().out


def test_an_ordinary_run_waits_a_moment_for_one_that_is_about_to_end(pipeline):
    with _another_extraction(pipeline) as other:
        threading.Timer(1.5, other.rollback).start()
        assert pipeline.extract()["batch"] == 1


def test_what_only_this_run_brings_is_worth_waiting_for(pipeline, monkeypatch):
    pipeline.extract()
    monkeypatch.setattr(run, "PATIENCE_SECONDS", 0)
    with _another_extraction(pipeline) as other:
        threading.Timer(2, other.rollback).start()
        assert pipeline.extract(keys=["payment"])["batch"] == 2
    assert pipeline.document(pipeline.ingestion, manifest_key(2))["tables"]["payment"]["key_parts"] is not None


@pytest.mark.parametrize("asked", [{"read": "everything"}, {"read": ["staff"]}, {"keys": "all"}])
def test_what_only_this_run_brings_fails_by_name_when_its_time_is_over(pipeline, impatient, monkeypatch, asked):
    monkeypatch.setenv("TIME_BUDGET_SECONDS", "2")
    began = time.monotonic()
    with (
        _another_extraction(pipeline),
        pytest.raises(AnotherExtractionError, match=r"Nothing was read .* must be asked for again"),
    ):
        pipeline.extract(**asked)
    assert 1 <= time.monotonic() - began < 10 and pipeline.keys(pipeline.ingestion) == []


def test_two_deployments_on_one_source_do_not_wait_for_each_other(pipeline, impatient):
    with _another_extraction(pipeline, bucket="totesys-other-ingestion"):
        assert pipeline.extract()["batch"] == 1


def test_g3_a_holder_that_is_killed_in_mid_statement_holds_nothing(pipeline):
    """The server does not write to it, and so would not find out for five minutes."""
    command = [sys.executable, "-c", HOLDER, pipeline.source_url, str(lease_key(pipeline.ingestion))]
    holder = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    began = time.monotonic()
    assert pipeline.extract(keys="all")["batch"] == 1
    assert time.monotonic() - began < 20


def test_g2_a_run_that_reads_before_the_one_before_has_committed_races_with_it(pipeline, monkeypatch):
    """The lease ends with the transaction, and the manifest follows it: the conditional put is the last word."""
    pipeline.extract()
    plain, others = Bucket.put_once, []
    with pipeline.source() as connection:
        connection.execute("update payment set paid = not paid where payment_id = 1")

    def late(bucket, key, data):
        if not others:
            others.append(None)
            others[0] = run.extract(ExtractSettings())
        return plain(bucket, key, data)

    monkeypatch.setattr(Bucket, "put_once", late)
    outcome = pipeline.extract()
    assert others[0].batch == 2 and outcome["batch"] is None and "lost the race" in outcome["reason"]


@pytest.mark.parametrize("asked", [{}, {"keys": "all"}], ids=["ordinary", "asked"])
def test_g7_a_batch_that_was_committed_before_the_lease_was_got_is_followed_not_read_past(pipeline, monkeypatch, asked):
    """A plan from an older manifest would read rows again; a run that is asked for more begins again from the new one."""
    pipeline.extract()
    plain, others = run._newest, []

    def late(*arguments):
        found = plain(*arguments)
        if not others:
            others.append(None)
            with pipeline.source() as connection:
                connection.execute("update payment set paid = not paid where payment_id = 1")
            others[0] = run.extract(ExtractSettings())
        return found

    monkeypatch.setattr(run, "_newest", late)
    read = []
    monkeypatch.setattr(run, "plan", lambda *a, _plain=run.plan, **n: read.append(a[1].batch) or _plain(*a, **n))
    outcome = pipeline.extract(**asked)
    assert others[0].batch == 2
    if asked:
        assert outcome["batch"] == 3 and read == [1, 2], "the other run's plan, then one from its manifest"
    else:
        assert outcome["batch"] is None and "since this one began" in outcome["reason"] and read == [1]
