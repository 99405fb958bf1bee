"""What the pending check answers about batches that wait, and of buckets that do not belong together."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.errors import CustodyError
from contracts.protocol.manifest import Unfinished
from contracts.protocol.object_layout import manifest_key
from tests.support.lake import FakeLake
from tests.support.samples import extract, manifest

#: One table with changed rows.
CHANGED = {"staff": extract("staff", read="changed")}


@pytest.fixture
def lake(pipeline):
    lake = FakeLake(pipeline)
    lake.publish({"dim_staff": [(1, "Ann", "Jones", "Sales", None, "a@x")]})
    return lake


def _put(pipeline, *manifests):
    for found in manifests:
        body = found.to_json()
        pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=manifest_key(found.batch), Body=body)


def _pending(pipeline):
    """The answer, without for how long the first batch waits."""
    answer = pipeline.load({"step": "check_pending"})
    answer.pop("waits_seconds", None)
    return answer


def test_the_pending_check_tells_of_a_full_batch_behind_the_first_pending_one(pipeline, lake):
    assert _pending(pipeline) == {"batches": 1, "published": 1, "untransformed": 0, "full_pending": False}
    _put(pipeline, manifest(2))  # the first pending one is full itself: nothing is behind it
    assert _pending(pipeline) == {"batches": 2, "published": 1, "untransformed": 1, "full_pending": False}
    _put(pipeline, manifest(2, **CHANGED), manifest(3, **CHANGED))
    assert _pending(pipeline) == {"batches": 3, "published": 1, "untransformed": 2, "full_pending": False}
    _put(pipeline, manifest(4))
    assert _pending(pipeline) == {"batches": 4, "published": 1, "untransformed": 3, "full_pending": True}


def test_the_pending_check_tells_for_how_long_the_first_batch_waits(pipeline, lake):
    def waits():
        return pipeline.load({"step": "check_pending"}).get("waits_seconds")

    assert waits() is None  # nothing is pending
    now = datetime.now(UTC)
    old, young = (
        replace(manifest(n), extracted_at=(now - timedelta(seconds=s)).isoformat()) for n, s in ((2, 400), (3, 5))
    )
    _put(pipeline, old, young)
    assert 400 <= waits() < 500
    lake.put(pipeline.ingestion, manifest_key(2), b"{")
    assert 5 <= waits() < 100
    lake.put(pipeline.ingestion, manifest_key(3), b"{")
    assert waits() is None  # nothing of it can be read: the recovery leaves it to nobody


def test_a_batch_of_several_manifests_counts_as_one(pipeline, lake):
    begun = replace(manifest(2), unfinished=Unfinished(None, 990, {"payment": 5}))
    tables = {name: replace(table, key_parts=table.parts) for name, table in manifest(3).tables.items()}
    ended = replace(manifest(3), first=2, tables=tables)
    _put(pipeline, begun, ended)
    assert _pending(pipeline)["full_pending"] is False
    _put(pipeline, manifest(4))
    assert _pending(pipeline)["full_pending"] is True


def test_g3_a_damaged_manifest_keeps_nobody_from_seeing_what_is_pending(pipeline, lake):
    _put(pipeline, manifest(3))
    lake.put(pipeline.ingestion, manifest_key(2), b"{")
    assert _pending(pipeline) == {"batches": 3, "published": 1, "untransformed": 2, "full_pending": True}
    pipeline.s3.delete_object(Bucket=pipeline.ingestion, Key=manifest_key(2))
    assert _pending(pipeline)["full_pending"] is True
    lake.put(pipeline.ingestion, manifest_key(3), b"{")
    assert _pending(pipeline) == {"batches": 3, "published": 1, "untransformed": 2, "full_pending": False}


def test_g5_an_ingestion_bucket_that_lost_its_batches_is_told(pipeline, lake):
    lake.publish({})
    pipeline.s3.delete_object(Bucket=pipeline.ingestion, Key=manifest_key(2))
    with pytest.raises(
        CustodyError, match=r"has published batch 2, and the newest whole batch .* is 1.*numbers on after"
    ):
        _pending(pipeline)
    pipeline.s3.delete_object(Bucket=pipeline.ingestion, Key=manifest_key(1))
    with pytest.raises(CustodyError, match=r"is none: the ingestion bucket has lost batches"):
        _pending(pipeline)
    _put(pipeline, manifest(3))  # the extraction numbered on
    assert _pending(pipeline)["untransformed"] == 1
