"""What can be asked of an extraction, and what it does when documents are lost, late or somebody else's."""

import json

import boto3
import pytest

from contracts.errors import DamagedDocumentError, NewerDocumentError
from contracts.protocol.bucket import Bucket
from contracts.protocol.object_layout import manifest_key, publication_key
from contracts.tables.source import SOURCE_TABLES
from lambdas.errors import EventError
from lambdas.extract.event import Request
from lambdas.extract.run import extract
from lambdas.extract.settings import ExtractSettings
from tests.support.lake import FakeLake
from tests.support.publications import publish_some


def _manifest(pipeline, batch):
    return pipeline.document(pipeline.ingestion, manifest_key(batch))


def test_everything_is_read_when_it_is_asked_for(pipeline):
    pipeline.extract()
    assert pipeline.extract()["batch"] is None
    outcome = pipeline.extract(read="everything")
    assert outcome["batch"] == 2 and outcome["reason"] == "everything was asked for"
    tables = _manifest(pipeline, 2)["tables"]
    assert all(table["read"] == "whole" and table["rows"] == table["source_count"] for table in tables.values())
    assert _manifest(pipeline, 2)["lake"] == _manifest(pipeline, 1)["lake"] != ""


def test_everything_asked_for_again_while_it_is_being_read_does_not_begin_again(pipeline):
    """A reading of many runs is asked for at every interval until it is there."""
    pipeline.extract()
    settings, wanted = ExtractSettings(), Request(everything=True)
    numbers, is_whole = [], False
    while not is_whole:
        outcome = extract(settings, wanted, seconds=0 if len(numbers) < 8 else 600)
        numbers.append(outcome.batch)
        is_whole = outcome.is_whole
    document = _manifest(pipeline, numbers[-1])
    assert document["first"] == 2 and document["reason"] == "everything was asked for" and len(numbers) > 8


def test_rows_asked_for_while_changes_are_being_read_are_read_with_everything(pipeline):
    pipeline.extract()
    with pipeline.source() as connection:
        connection.execute("update payment set paid = not paid")
        connection.execute("update sales_order set units_sold = units_sold + 1")
    assert not extract(ExtractSettings(), seconds=0).is_whole
    outcome = extract(ExtractSettings(), Request(tables=frozenset({"staff"})))
    assert outcome.is_whole and "all rows of staff were asked for while" in outcome.reason
    assert _manifest(pipeline, outcome.batch)["first"] == outcome.batch


def test_single_tables_are_read_when_they_are_asked_for(pipeline):
    pipeline.extract()
    outcome = pipeline.extract(read=["payment", "staff"])
    assert "payment is read whole: it was asked for" in outcome["reason"]
    tables = _manifest(pipeline, 2)["tables"]
    assert {name for name, table in tables.items() if table["read"] == "whole"} == {"payment", "staff", "department"}


@pytest.mark.parametrize("read", ["all", ["parrot"], [7], {"payment": True}, 1])
def test_an_event_that_asks_for_something_else_is_explained(pipeline, read):
    with pytest.raises(EventError, match=r"The event(:\.read| asks for all rows of)"):
        pipeline.extract(read=read)
    assert pipeline.keys(pipeline.ingestion) == []


def test_an_event_with_an_unknown_field_is_refused(pipeline):
    with pytest.raises(EventError, match="The event: has unknown keyz"):
        pipeline.extract(keyz="all")


@pytest.mark.parametrize("request_", [{"keys": "all"}, {"read": "everything"}], ids=["keys", "read"])
def test_what_was_asked_for_and_lost_with_the_race_is_tried_again(pipeline, monkeypatch, request_):
    pipeline.extract()
    plain, raced = Bucket.put_once, []

    def late(bucket, key, data):
        if not raced:
            raced.append(key)
            with pipeline.source() as connection:
                connection.execute("update payment set paid = not paid where payment_id = 1")
            assert pipeline.extract()["batch"] == 2
        return plain(bucket, key, data)

    monkeypatch.setattr(Bucket, "put_once", late)
    assert pipeline.extract(**request_)["batch"] == 3
    tables = _manifest(pipeline, 3)["tables"]
    if "keys" in request_:
        assert all(table["key_parts"] is not None for table in tables.values())
    else:
        assert all(table["read"] == "whole" for table in tables.values())


def test_g2_a_manifest_whose_answer_was_lost_is_the_runs_own(pipeline, monkeypatch):
    import botocore.httpsession

    plain, lost = botocore.httpsession.URLLib3Session.send, []

    def send(self, request):
        answer = plain(self, request)
        if request.method == "PUT" and "/batches/" in request.url and not lost:
            lost.append(request.url)
            raise botocore.exceptions.ConnectionClosedError(endpoint_url=request.url)
        return answer

    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", send)
    assert pipeline.extract()["batch"] == 1 and lost


def test_g5_an_ingestion_bucket_that_lost_its_batches_goes_on_after_the_lake(pipeline):
    lake = FakeLake(pipeline)
    publish_some(lake)
    for key in pipeline.keys(pipeline.ingestion):
        pipeline.s3.delete_object(Bucket=pipeline.ingestion, Key=key)
    outcome = pipeline.extract()
    assert outcome["batch"] == 4 and "the lake is at batch 3, and there is none" in outcome["reason"]
    document = _manifest(pipeline, 4)
    published = pipeline.document(pipeline.processed, publication_key(3))
    assert document["first"] == 4 and document["lake"] == published["lake"] != ""
    assert set(outcome["rows"]) <= set(SOURCE_TABLES)
    assert pipeline.extract()["batch"] is None


def test_g3_objects_of_strangers_beside_the_manifests_are_no_batches(pipeline):
    for name in ("README.txt", "zzz", "00000001.json.bak", "archive/00000009.json"):
        pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=f"batches/{name}", Body=b"x")
    assert pipeline.extract()["batch"] == 1
    with pipeline.source() as connection:
        connection.execute("update payment set paid = not paid where payment_id = 1")
    assert pipeline.extract()["batch"] == 2


def test_g5_a_source_whose_clock_runs_ahead_does_not_hide_a_batch_that_waits(pipeline, capsys):
    pipeline.extract()
    document = _manifest(pipeline, 1)
    document["snapshot_time"] = document["snapshot_time"].replace("20", "30", 1)  # some years ahead
    boto3.client("s3").put_object(Bucket=pipeline.ingestion, Key=manifest_key(1), Body=json.dumps(document))
    capsys.readouterr()
    pipeline.extract()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"OldestUnloadedBatchAge"' in line]
    assert 0 < lines[0]["OldestUnloadedBatchAge"][0] < 600


@pytest.mark.parametrize("number", [1, 2])
def test_g3_a_damaged_manifest_does_not_keep_everything_from_being_read(pipeline, number):
    """Neither the newest one, which a batch of changes would build on, nor an older one that waits for the warehouse."""
    pipeline.extract()
    with pipeline.source() as connection:
        connection.execute("update payment set paid = not paid where payment_id = 1")
    pipeline.extract()
    key = f"batches/{number:08d}.json"
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=key, Body=b'{"format": 3, "batch": ')
    if number == 2:
        with pytest.raises(DamagedDocumentError, match=r"00000002\.json: not JSON"):
            pipeline.extract()
        assert pipeline.load()["wanted"] == 0  # what is published is loaded meanwhile, and nothing else is asked for
    answer = pipeline.extract(read="everything")
    assert (answer["batch"], answer["reason"]) == (3, "everything was asked for")
    manifest = pipeline.document(pipeline.ingestion, "batches/00000003.json")
    assert (manifest["previous"], manifest["first"]) == (2, 3) and manifest["lake"]
    assert pipeline.load()["freshness"] >= 0
    assert pipeline.extract()["batch"] is None


def test_a_manifest_of_a_newer_release_is_never_passed_over(pipeline):
    pipeline.extract()
    document = pipeline.document(pipeline.ingestion, "batches/00000001.json")
    newer = json.dumps({**document, "format": 99, "release": "9.9"}).encode()
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key="batches/00000001.json", Body=newer)
    with pytest.raises(NewerDocumentError, match=r"deploy release 9\.9 or newer"):
        pipeline.extract(read="everything")
    assert pipeline.keys(pipeline.ingestion, "batches/") == ["batches/00000001.json"]
