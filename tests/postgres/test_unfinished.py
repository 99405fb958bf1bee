"""A batch that does not fit into one run: several manifests, one content."""

import csv
import io
import json

import psycopg
import pytest

from contracts.protocol.bucket import Bucket
from contracts.protocol.object_layout import manifest_key
from contracts.protocol.progress import newest_batch_number, whole_batches
from contracts.tables.source import SOURCE_TABLES
from lambdas.errors import EventError
from lambdas.extract.event import Request
from lambdas.extract.handler import handler
from lambdas.extract.run import extract
from lambdas.extract.settings import ExtractSettings
from tests.support.pipeline import lambda_context


def _read(pipeline, part):
    text = pipeline.s3.get_object(Bucket=pipeline.ingestion, Key=part.key)["Body"].read().decode()
    return list(csv.reader(io.StringIO(text)))[1:]


def _content(pipeline, manifest, table):
    """The newest row of each listed key."""
    rows = {}
    for part in manifest.tables[table].parts:  # in the order of their manifests
        rows.update({row[0]: row for row in _read(pipeline, part)})
    listed = {row[0] for part in manifest.tables[table].key_parts for row in _read(pipeline, part)}
    return {key: row for key, row in rows.items() if key in listed}


def _truth(pipeline, table):
    out = io.BytesIO()
    with pipeline.source() as connection, connection.cursor() as cursor:
        cursor.execute("set timezone to 'UTC'")
        with cursor.copy(f"copy {table} to stdout (format csv)") as copied:
            for data in copied:
                out.write(data)
    return {row[0]: row for row in csv.reader(io.StringIO(out.getvalue().decode()))}


@pytest.fixture
def short_chunks(monkeypatch):
    monkeypatch.setattr("lambdas.extract.copying.CHUNK_BYTES", 4000)


def test_g4_the_runs_of_a_batch_are_one_snapshot_whatever_happens_between_them(pipeline, short_chunks):
    """Rows are changed behind, before and at the place where reading stopped, deleted, and moved to another key."""
    with psycopg.connect(pipeline.source_url) as late:
        late.execute("update sales_order set units_sold = 111 where sales_order_id = 1")
        runs = 0
        while True:
            outcome = extract(ExtractSettings(), seconds=0 if runs < 25 else 600)
            runs += 1
            if outcome.is_whole:
                break
            if runs == 20:
                late.commit()
            with pipeline.source() as connection:
                connection.execute(
                    "update payment set payment_amount = payment_amount + 1 where payment_id = %s", (runs,)
                )
                connection.execute("delete from payment where payment_id = %s", (runs + 40,))
                connection.execute("update design set design_name = 'd' || %s where design_id = 1", (runs,))
                connection.execute(
                    "insert into staff (first_name, last_name, department_id, email_address, last_updated) "
                    "values ('A', 'B', 1, 'c', now())"
                )
                connection.execute(
                    "update staff set staff_id = 500 + staff_id where staff_id = (select max(staff_id) from staff)"
                )
    bucket = Bucket(pipeline.s3, pipeline.ingestion)
    (batch,) = whole_batches(bucket, 0)
    assert (
        batch.batch == runs == newest_batch_number(bucket) > 20 and batch.first == 1 and batch.reason == "first batch"
    )
    for table in SOURCE_TABLES:
        assert _content(pipeline, batch, table) == _truth(pipeline, table), table
    assert extract(ExtractSettings()).reason == "nothing changed"


def test_g1_an_incremental_batch_can_be_interrupted_too(pipeline, short_chunks):
    extract(ExtractSettings())
    with pipeline.source() as connection:
        connection.execute("update sales_order set units_sold = units_sold + 1")
        connection.execute("update payment set payment_amount = payment_amount + 1 where payment_id <= 5")
    first = extract(ExtractSettings(), seconds=0)
    assert first.batch == 2 and not first.is_whole and first.reason == ""
    bucket = Bucket(pipeline.s3, pipeline.ingestion)
    assert newest_batch_number(bucket) == 1 and list(whole_batches(bucket, 1)) == []
    while not extract(ExtractSettings(), seconds=600).is_whole:
        pass
    (batch,) = whole_batches(bucket, 1)
    assert {name: t.read for name, t in batch.tables.items() if t.read != "nothing"} == {
        "sales_order": "changed",
        "payment": "changed",
    }
    assert _content(pipeline, batch, "sales_order") == _truth(pipeline, "sales_order")
    assert len(_content(pipeline, batch, "payment")) == 5


def test_g1_another_source_begins_the_batch_again(pipeline, short_chunks):
    extract(ExtractSettings(), seconds=0)
    key = manifest_key(1)
    document = pipeline.document(pipeline.ingestion, key)
    document["source"]["system_identifier"] = "1"
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=key, Body=json.dumps(document))
    outcome = extract(ExtractSettings())
    assert outcome.is_whole and "another cluster" in outcome.reason
    (batch,) = whole_batches(Bucket(pipeline.s3, pipeline.ingestion), 0)
    assert batch.batch == batch.first == 2


def test_g2_a_run_that_was_invoked_to_continue_goes_on_from_the_newest_manifest_or_does_nothing(pipeline):
    assert handler({"continues": 1}, lambda_context())["reason"] == "the batch that manifest 1 left unfinished is whole"
    extract(ExtractSettings(), seconds=0)
    settings = ExtractSettings()
    assert extract(settings, Request(continues=1), seconds=0).batch == 2
    assert extract(settings, Request(continues=1), seconds=0).batch == 3  # retried: its first try died after its commit
    assert handler({"trigger": "schedule"}, lambda_context())["is_whole"]
    assert handler({"continues": 3}, lambda_context())["batch"] is None
    with pytest.raises(EventError, match="continues is str, expected int"):
        handler({"continues": "x"}, lambda_context())


def test_a_run_that_cannot_invoke_the_next_says_so_and_is_continued_by_the_schedule(pipeline, monkeypatch, caplog):
    monkeypatch.setenv("TIME_BUDGET_SECONDS", "0")
    assert not handler({}, lambda_context())["is_whole"]  # there is no such function here
    assert "the next scheduled run continues the batch" in caplog.text
    monkeypatch.delenv("TIME_BUDGET_SECONDS")
    assert handler({}, lambda_context())["is_whole"]
