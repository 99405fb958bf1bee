"""The local S3 gives back what was stored, whole and in ranges, also where it sends in pieces."""

import os

import pytest

from local.emulator.s3 import CHUNK_BYTES
from local.servers.emulator_process import REGION


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
