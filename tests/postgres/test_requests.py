"""How many requests each step makes of S3, counted on the wire: the bill is reckoned from the same figures."""

from dataclasses import replace

import botocore.client
import pytest
from botocore.exceptions import ClientError

from contracts.protocol.bucket import Bucket
from contracts.protocol.manifest import Manifest
from contracts.protocol.newest import note_newest
from contracts.protocol.object_layout import (
    HINT_PREFIX,
    LOAD_PREFIX,
    MANIFEST_PREFIX,
    PUBLICATION_PREFIX,
    hint_key,
    load_key,
    manifest_key,
    publication_key,
)
from contracts.protocol.progress import newest_manifest_number
from tests.support.lake import FakeLake
from tests.support.samples import manifest
from tests.support.wire import counted
from tools.cost import measured
from tools.cost.measured import Requests

#: Numbers at which it is measured.
NUMBER = 10_000
STAFF = {"dim_staff": [(1, "Ann", "Jones", "Sales", None, "a@x")]}
SALES = {
    "dim_staff": [(1, "Ann", "Jones", "Sales", None, "a@x")],
    "dim_design": [(1, "Wooden", "/usr", "f.json")],
    "dim_currency": [(1, "GBP", "British pound")],
}


@pytest.fixture
def count(pipeline, monkeypatch):
    """Count the requests of one call."""

    def counts(call, *arguments, **options):
        with counted(pipeline.servers.endpoint, monkeypatch) as found:
            answer = call(*arguments, **options)
        return Requests(found["LIST"], found["GET"], found["PUT"]), answer

    return counts


def note(pipeline, prefix, number):
    bucket = pipeline.ingestion if prefix == MANIFEST_PREFIX else pipeline.processed
    note_newest(Bucket(pipeline.s3, bucket), prefix, number, pytest.fail)


def far_on(pipeline):
    """Commit the first batch, and let it be the last of 10,000, as far as a listing from the hint can see."""
    pipeline.extract()
    body = pipeline.s3.get_object(Bucket=pipeline.ingestion, Key=manifest_key(1))["Body"].read()
    first = Manifest.from_json(body, manifest_key(1))
    for number in range(NUMBER - 25, NUMBER + 1):
        moved = replace(first, batch=number, first=number, previous=number - 1).to_json()
        pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=manifest_key(number), Body=moved)
        pipeline.s3.put_object(Bucket=pipeline.processed, Key=load_key(number), Body=b"{}")
        pipeline.s3.put_object(Bucket=pipeline.processed, Key=publication_key(number), Body=b"{}")
    for prefix in (MANIFEST_PREFIX, LOAD_PREFIX, PUBLICATION_PREFIX):
        note(pipeline, prefix, NUMBER)


def test_an_idle_extraction_makes_few_requests_whatever_the_number(pipeline, count):
    far_on(pipeline)
    found, answer = count(pipeline.extract)
    assert answer["reason"] == "nothing changed"
    assert found == measured.IDLE_EXTRACTION and found.lists <= 5


def test_an_extraction_makes_few_requests_whatever_the_number(pipeline, count):
    far_on(pipeline)
    with pipeline.source() as connection:
        connection.execute("update sales_order set units_sold = units_sold + 1 where sales_order_id <= 2")
        connection.execute("update payment set paid = not paid where payment_id <= 2")
        connection.execute("update transaction set last_updated = last_updated where transaction_id <= 2")
    found, answer = count(pipeline.extract)
    assert answer["batch"] == NUMBER + 1 and len(answer["rows"]) == 3
    assert found == measured.EXTRACTION
    assert newest_manifest_number(Bucket(pipeline.s3, pipeline.ingestion)) == NUMBER + 1


def test_without_hints_an_extraction_searches_as_before(pipeline, count):
    """A lake of an earlier release."""
    far_on(pipeline)
    for bucket in (pipeline.ingestion, pipeline.processed):
        for key in pipeline.keys(bucket, "newest/"):
            pipeline.s3.delete_object(Bucket=bucket, Key=key)
    found, answer = count(pipeline.extract)
    assert answer["reason"] == "nothing changed" and found.lists > 40


def _refused(monkeypatch, pipeline):
    """Let no client write a hint."""
    plain = botocore.client.BaseClient._make_api_call

    def call(self, operation, parameters):
        if operation == "PutObject" and parameters["Key"].startswith(HINT_PREFIX):
            raise ClientError({"Error": {"Code": "AccessDenied"}}, operation)
        return plain(self, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)


def test_g3_an_extraction_and_a_load_that_may_not_write_hints_do_their_work_and_tell(pipeline, monkeypatch, caplog):
    lake = FakeLake(pipeline)
    lake.publish(STAFF)
    _refused(monkeypatch, pipeline)
    assert pipeline.load()["loaded"] == [1] and load_key(1) in pipeline.keys(pipeline.processed, LOAD_PREFIX)
    assert pipeline.extract()["batch"] == 2
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    for number, prefix in ((1, LOAD_PREFIX), (2, MANIFEST_PREFIX)):
        assert any(hint_key(prefix) in line and f"Number {number} is committed all the same" in line for line in told)
    assert not pipeline.keys(pipeline.processed, HINT_PREFIX) and not pipeline.keys(pipeline.ingestion, HINT_PREFIX)
    assert pipeline.extract()["batch"] is None


def test_g3_a_run_that_dies_between_its_commit_and_its_hint_is_made_good_by_the_next(pipeline, monkeypatch):
    pipeline.extract()
    with pipeline.source() as connection:
        connection.execute("update staff set department_id = department_id % 8 + 1 where staff_id = 2")
    with monkeypatch.context() as patch:
        patch.setattr("lambdas.extract.run.note_newest", lambda *_: (_ for _ in ()).throw(MemoryError("killed")))
        with pytest.raises(MemoryError):
            pipeline.extract()
    assert pipeline.s3.get_object(Bucket=pipeline.ingestion, Key=hint_key(MANIFEST_PREFIX))["Body"].read() == b"1"
    assert pipeline.extract()["reason"] == "nothing changed"  # batch 2 was committed, and is found
    assert newest_manifest_number(Bucket(pipeline.s3, pipeline.ingestion)) == 2


def test_a_check_and_a_load_make_few_requests(pipeline, count):
    lake = FakeLake(pipeline)
    lake.publish(STAFF)
    pipeline.load()
    lake.publish(SALES)
    for prefix, number in ((MANIFEST_PREFIX, 2), (PUBLICATION_PREFIX, 2)):
        note(pipeline, prefix, number)
    found, answer = count(pipeline.load)
    assert answer["loaded"] == [2] and found == measured.LOAD
    found, answer = count(pipeline.load)
    assert answer["loaded"] == [] and found == measured.IDLE_LOAD
    found, answer = count(pipeline.load, {"step": "check_pending"})
    assert answer["untransformed"] == 0 and found == measured.IDLE_CHECK
    third = replace(manifest(3), lake=lake.lake)
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=manifest_key(3), Body=third.to_json())
    note(pipeline, MANIFEST_PREFIX, 3)
    found, answer = count(pipeline.load, {"step": "check_pending"})
    assert answer["untransformed"] == 1 and found == measured.CHECK
