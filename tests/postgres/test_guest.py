"""A command that waits for a table which is being read is given way to: its owner, and all writers behind it, wait seconds."""

import threading
import time

import psycopg
import pytest

from contracts.protocol.object_layout import manifest_key
from lambdas.errors import DatabaseUnreachableError
from lambdas.extract import run
from lambdas.extract.guest import Guest


@pytest.fixture
def slow(monkeypatch):
    """Chunks of a row, each of which takes its time, and a guest that looks all the time."""
    monkeypatch.setattr("lambdas.extract.copying.CHUNK_BYTES", 1)
    monkeypatch.setattr("lambdas.extract.guest.LOOK_SECONDS", 0.05)
    monkeypatch.setenv("GIVE_WAY_SECONDS", "1")
    plain = run.write_parts

    def write(client, bucket, chunks, *arguments, **named):
        def slowly():
            for chunk in chunks:
                time.sleep(0.05)
                yield chunk

        return plain(client, bucket, slowly(), *arguments, **named)

    monkeypatch.setattr(run, "write_parts", write)


def _altering(pipeline, statement, waited):
    with psycopg.connect(pipeline.source_url, autocommit=True) as connection:
        time.sleep(1)
        started = time.monotonic()
        connection.execute(statement)
        waited.append(time.monotonic() - started)


def _extract_while(pipeline, statement):
    waited = []
    thread = threading.Thread(target=_altering, args=(pipeline, statement, waited))
    thread.start()
    outcome = pipeline.extract()
    thread.join()
    return outcome, waited[0]


def test_a_reading_that_cannot_be_kept_is_given_up_for_who_waits(pipeline, slow, monkeypatch, capsys):
    outcome, waited = _extract_while(pipeline, "alter table payment add column note text")
    assert outcome["batch"] is None and "gave way" in outcome["reason"]
    assert waited < 4  # the reading would have taken half a minute
    assert pipeline.keys(pipeline.ingestion, "batches/") == []
    assert '"SourceChecked"' not in capsys.readouterr().out  # who only gives way has not checked anything
    monkeypatch.undo()
    for name, value in pipeline.variables.items():
        monkeypatch.setenv(name, value)
    assert pipeline.extract()["batch"] == 1


def test_a_reading_that_can_stop_anywhere_keeps_what_it_has(pipeline, slow, monkeypatch):
    monkeypatch.setattr("lambdas.extract.plan.ROWS_PER_SECOND", 0)
    outcome, waited = _extract_while(pipeline, "truncate payment")
    assert outcome["batch"] == 1 and not outcome["is_whole"] and sum(outcome["rows"].values()) > 0
    assert waited < 4
    monkeypatch.undo()
    for name, value in pipeline.variables.items():
        monkeypatch.setenv(name, value)
    outcome = pipeline.extract()
    assert outcome["is_whole"] and outcome["batch"] == 2
    document = pipeline.document(pipeline.ingestion, manifest_key(2))
    assert document["tables"]["payment"]["source_count"] == 0 and document["first"] == 1


def test_who_only_reads_or_writes_is_not_in_the_way(pipeline, slow, monkeypatch):
    monkeypatch.setattr("lambdas.extract.copying.CHUNK_BYTES", 300)
    outcome, waited = _extract_while(pipeline, "update payment set paid = not paid where payment_id = 1")
    assert outcome["batch"] == 1 and waited < 1


def test_without_a_second_connection_the_reading_goes_on():
    clock = iter(range(100))

    def refused():
        raise DatabaseUnreachableError("too many connections")

    guest = Guest(refused, 1, 2, clock=lambda: next(clock))
    assert not any(guest.must_give_way() for _ in range(20))
    guest.close()
