"""The local S3 gives back what was stored, whole and in ranges, also where it sends in pieces."""

import os

import psutil
import pytest
from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from local.emulator.s3 import CHUNK_BYTES
from local.home import Home
from local.servers.emulator_process import ACCOUNT, REGION


@pytest.fixture(scope="module")
def stored(servers):
    s3, content = servers.client("s3"), os.urandom(3 * CHUNK_BYTES + 5)
    s3.create_bucket(Bucket="ranges", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="ranges", Key="large", Body=content)
    return s3, content


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-", slice(0, None)),
        ("bytes=7-", slice(7, None)),
        ("bytes=0-0", slice(0, 1)),
        (f"bytes={CHUNK_BYTES - 1}-{2 * CHUNK_BYTES}", slice(CHUNK_BYTES - 1, 2 * CHUNK_BYTES + 1)),
        ("bytes=-9", slice(-9, None)),
        (f"bytes=5-{10 * CHUNK_BYTES}", slice(5, None)),
    ],
)
def test_a_range_is_that_part_of_the_object(stored, asked, expected):
    s3, content = stored
    answer = s3.get_object(Bucket="ranges", Key="large", Range=asked)
    assert answer["Body"].read() == content[expected]


def test_without_a_range_it_is_the_whole_object(stored):
    s3, content = stored
    assert s3.get_object(Bucket="ranges", Key="large")["Body"].read() == content


def test_a_range_behind_the_end_is_refused(stored):
    s3, content = stored
    with pytest.raises(s3.exceptions.ClientError, match="InvalidRange"):
        s3.get_object(Bucket="ranges", Key="large", Range=f"bytes={len(content)}-")


def test_what_a_reader_that_stops_early_leaves_costs_nothing(servers):
    s3, mebibytes = servers.client("s3"), 128
    s3.create_bucket(Bucket="early", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="early", Key="large", Body=bytes(mebibytes * 2**20))

    def seconds_of_emulator(end: str) -> float:
        before = _processor_seconds(servers.home)
        for number in range(30):
            body = s3.get_object(Bucket="early", Key="large", Range=f"bytes={number * 1000}-{end}")["Body"]
            assert len(body.read(1000)) == 1000
            body.close()
        return _processor_seconds(servers.home) - before

    few = seconds_of_emulator("99999")
    assert seconds_of_emulator("") < 10 * few, "the rest of the object is read, or copied, too"


def test_an_object_that_is_shortened_while_it_is_read_ends_that_answer_only(servers):
    s3 = servers.client("s3")
    s3.create_bucket(Bucket="shortened", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="shortened", Key="large", Body=bytes(32 * 2**20))
    body = s3.get_object(Bucket="shortened", Key="large", Range="bytes=0-")["Body"]
    assert len(body.read(1000)) == 1000
    os.truncate(servers.home.s3 / ACCOUNT / "shortened" / "large", 1000)
    with pytest.raises((ReadTimeoutError, ResponseStreamingError, IncompleteReadError)):
        body.read()
    assert s3.list_objects_v2(Bucket="shortened")["KeyCount"] == 1


def _processor_seconds(home: Home) -> float:
    times = psutil.Process(int((home.directory / "aws" / "emulator.pid").read_text())).cpu_times()
    return float(times.user + times.system)
