"""The batch protocol over S3, where answers are lost and strangers put things beside our documents."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError

from contracts.errors import DuplicateNumberError, StorageError
from contracts.protocol.bucket import Bucket
from contracts.protocol.object_layout import MANIFEST_PREFIX, manifest_key
from contracts.protocol.progress import newest_manifest_number


class FakeS3:
    """Objects in a dict; `answers` says what becomes of each put: done, or an error that is raised after or instead of it."""

    def __init__(self, answers=(), objects=None):
        self.objects, self.answers, self.puts, self.lists = dict(objects or {}), list(answers), 0, 0
        events = SimpleNamespace(register=lambda *_: None, unregister=lambda *_: None)
        self.meta = SimpleNamespace(events=events)

    def put_object(self, *, Bucket, Key, Body, ContentType):
        del Bucket, ContentType
        self.puts += 1
        answer = self.answers.pop(0) if self.answers else None
        if Key in self.objects:
            raise _error("PreconditionFailed")
        if answer != "conflict":
            self.objects[Key] = Body
        if answer == "lost":
            raise ConnectionClosedError(endpoint_url="https://s3")
        if answer == "conflict":
            raise _error("ConditionalRequestConflict")

    def head_object(self, *, Bucket, Key):
        del Bucket
        if Key not in self.objects:
            raise _error("404")
        return {"ContentLength": len(self.objects[Key])}

    def get_object(self, *, Bucket, Key):
        del Bucket
        if Key not in self.objects:
            raise _error("NoSuchKey")
        return {"Body": SimpleNamespace(read=lambda: self.objects[Key])}

    def list_objects_v2(self, *, Bucket, Prefix, StartAfter, MaxKeys):
        del Bucket
        self.lists += 1
        assert self.lists < 200, "the search does not end"
        found = sorted(key for key in self.objects if key.startswith(Prefix) and key > StartAfter)
        return {"Contents": [{"Key": key} for key in found[:MaxKeys]], "IsTruncated": len(found) > MaxKeys}


def _error(code):
    return ClientError({"Error": {"Code": code}}, "PutObject")


def test_g2_a_put_whose_answer_is_lost_is_ones_own():
    s3 = FakeS3(["lost"])
    Bucket(s3, "b").put_once("k", b"mine")
    assert s3.objects == {"k": b"mine"}


def test_g2_a_repeated_put_that_finds_ones_own_object_is_ones_own():
    s3 = FakeS3(objects={"k": b"mine"})
    Bucket(s3, "b").put_once("k", b"mine")


@pytest.mark.parametrize("other", [b"else", b"other"])
def test_another_runs_object_is_told(other):
    s3 = FakeS3(objects={"k": other})
    with pytest.raises(DuplicateNumberError, match="k was committed by another run"):
        Bucket(s3, "b").put_once("k", b"mine")
    assert s3.objects == {"k": other}


def test_a_put_that_collides_with_one_under_way_is_tried_again():
    s3 = FakeS3(["conflict", "conflict"])
    Bucket(s3, "b").put_once("k", b"mine")
    assert s3.objects == {"k": b"mine"} and s3.puts == 3


def test_a_put_that_did_not_arrive_is_told():
    s3 = FakeS3()
    s3.put_object = lambda **_: (_ for _ in ()).throw(ConnectionClosedError(endpoint_url="https://s3"))
    with pytest.raises(StorageError):
        Bucket(s3, "b").put_once("k", b"mine")


@pytest.mark.parametrize(
    ("error", "is_route"),
    [(ConnectTimeoutError, True), (EndpointConnectionError, True), (ConnectionClosedError, False)],
)
def test_a_subnet_without_a_route_to_s3_is_told(error, is_route):
    s3 = FakeS3()
    s3.list_objects_v2 = lambda **_: (_ for _ in ()).throw(error(endpoint_url="https://s3"))
    with pytest.raises(StorageError) as told:
        Bucket(s3, "b").keys_after(MANIFEST_PREFIX, 0)
    assert ("a NAT gateway, or s3 in vpc_endpoints" in str(told.value)) is is_route


@pytest.mark.parametrize("newest", [0, 1, 2, 3, 40])
def test_g3_what_strangers_put_beside_the_documents_is_passed_over(newest):
    strangers = ["", "README", "zzz", "00000001.json.bak", "00000002-copy.json", "x/00000099.json", "999999999.json"]
    keys = [manifest_key(number) for number in range(1, newest + 1)]
    keys += [MANIFEST_PREFIX + name for name in strangers] + [f"{MANIFEST_PREFIX}00000001.json.{n}" for n in range(50)]
    bucket = Bucket(FakeS3(objects=dict.fromkeys(keys, b"")), "b")
    assert newest_manifest_number(bucket) == newest
    assert bucket.keys_after(MANIFEST_PREFIX, 0) == [manifest_key(number) for number in range(1, newest + 1)]
