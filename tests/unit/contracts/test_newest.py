"""The search for the newest number: few requests, and the same answer whatever the hint says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import StorageError
from contracts.protocol.bucket import Bucket
from contracts.protocol.newest import PAGE, newest_number, note_newest, search
from contracts.protocol.object_layout import (
    LISTING_PREFIX,
    LOAD_PREFIX,
    MANIFEST_PREFIX,
    PUBLICATION_PREFIX,
    document_number,
    hint_key,
    manifest_key,
)
from tests.support.s3 import MemoryS3

HINT = hint_key(MANIFEST_PREFIX)
PREFIXES = (MANIFEST_PREFIX, PUBLICATION_PREFIX, LOAD_PREFIX, LISTING_PREFIX)
#: What may be found instead of a number.
DAMAGED = (
    b"",
    b"{",
    b"-1",
    b"1.5",
    b"0",
    b"00000000",
    b"123456789",
    b" 7",
    b"7\n",
    "٧".encode(),
    b"\xff\xfe",
    b"7" * 5000,
)


def bucket_of(numbers, hint=None):
    objects = {manifest_key(number): b"{}" for number in numbers}
    return Bucket(MemoryS3(objects if hint is None else objects | {HINT: hint}), "b")


def found(bucket):
    return newest_number(bucket, MANIFEST_PREFIX)


def told(bucket, number, prefix=MANIFEST_PREFIX):
    lines = []
    note_newest(bucket, prefix, number, lines.append)
    return lines


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_search_without_a_hint_takes_few_lists(newest, known):
    asked, known = [], min(known, newest)

    def exists_after(number):
        asked.append(number)
        return number < newest

    assert search(exists_after, known) == newest
    assert len(asked) <= 2 * max(1, (newest - known).bit_length()) + 2


@pytest.mark.parametrize("newest", [1, 2, 999, 1000, 1001, 10_000])
def test_with_a_hint_two_requests_find_any_number(newest):
    bucket = bucket_of(range(1, newest + 1))
    assert told(bucket, newest) == []
    bucket.client.requests.clear()
    assert found(bucket) == newest
    assert bucket.client.requests == {"GetObject": 1, "ListObjectsV2": 1}


def test_g3_a_crash_between_a_commit_and_its_note_is_made_good_by_the_list():
    bucket = bucket_of(range(1, 10_001))
    told(bucket, 10_000)
    bucket.put_once(manifest_key(10_001), b"{}")  # and the writer dies
    bucket.client.requests.clear()
    assert found(bucket) == 10_001 and bucket.client.requests.total() == 2
    bucket.put_once(manifest_key(10_002), b"{}")
    told(bucket, 10_002)
    assert found(bucket) == 10_002


def test_g2_an_older_note_over_a_newer_one_costs_nothing_but_a_longer_list():
    bucket = bucket_of(range(1, 3000))
    for late in (2999, 2998, 2000):
        told(bucket, late)
        bucket.client.requests.clear()
        assert found(bucket) == 2999
        assert bucket.client.requests["ListObjectsV2"] <= (2 if late > 2000 else 3)


def test_a_note_of_long_ago_does_not_list_everything():
    bucket = bucket_of(range(1, 20_001), b"1")
    assert found(bucket) == 20_000
    assert bucket.client.requests["ListObjectsV2"] < 40  # and not one for each 1000 keys; exactly the search's


def test_g3_a_bucket_that_was_emptied_and_begun_anew_is_searched():
    bucket = bucket_of([1, 2, 3], b"10000")
    assert found(bucket) == 3
    told(bucket, 3)
    bucket.client.requests.clear()
    assert found(bucket) == 3 and bucket.client.requests.total() == 2
    assert found(bucket_of([], b"10000")) == 0


@pytest.mark.parametrize("hint", DAMAGED)
def test_g3_a_damaged_note_is_as_good_as_none(hint):
    assert found(bucket_of(range(1, 50), hint)) == 49


def test_a_lake_of_an_earlier_release_has_no_notes_and_is_searched():
    assert found(bucket_of(range(1, 778))) == 777


@pytest.mark.parametrize("operation", ["GetObject", "PutObject"])
def test_g3_without_the_permission_on_the_note_everything_goes_on(operation):
    bucket = bucket_of(range(1, 50), b"48")
    bucket.client.refuses.add((operation, HINT))
    lines = told(bucket, 49)
    assert found(bucket) == 49
    if operation == "PutObject":
        (line,) = lines
        assert HINT in line and "AccessDenied" in line and "Number 49 is committed all the same" in line


def test_a_bucket_that_cannot_be_listed_is_told_whatever_the_note_says():
    bucket = bucket_of([1], b"1")
    bucket.client.refuses.add(("ListObjectsV2", MANIFEST_PREFIX))
    with pytest.raises(StorageError, match="AccessDenied"):
        found(bucket)


def test_notes_lie_apart_from_every_document():
    """The rule on committed batches fires on the prefix of manifests, and Athena reads whatever lies beside documents."""
    keys = {hint_key(prefix) for prefix in PREFIXES}
    assert len(keys) == len(PREFIXES)
    for prefix in PREFIXES:
        assert not any(key.startswith(prefix) or document_number(prefix, key) is not None for key in keys)


@st.composite
def histories(draw):
    """Commits, each noted or not, and what else may become of the note."""
    noted = st.booleans().map(lambda is_noted: ("commit", is_noted))
    jump = st.integers(2, 2 * PAGE).map(lambda many: ("commits", many))
    damage = st.sampled_from(DAMAGED).map(lambda data: ("damage", data))
    wrong = st.integers(0, 10**8).map(lambda number: ("damage", str(number).encode()))
    other = st.sampled_from([("lose", None), ("late", None), ("empty", None), ("hole", None)])
    return draw(st.lists(st.one_of(noted, noted, jump, damage, wrong, other), max_size=12))


@given(histories())
def test_g2_g3_no_history_of_notes_changes_the_answer(history):
    bucket, numbers = bucket_of([]), []
    for what, value in history:
        newest = max(numbers, default=0)
        if what in ("commit", "commits"):
            fresh = list(range(newest + 1, newest + 1 + (value if what == "commits" else 1)))
            numbers += fresh
            bucket.client.objects |= {manifest_key(number): b"{}" for number in fresh}
            if value is True:
                told(bucket, fresh[-1])
        elif what == "damage":
            bucket.client.objects[HINT] = value
        elif what == "late" and newest:
            told(bucket, max(1, newest - 1))
        elif what == "lose":
            bucket.client.objects.pop(HINT, None)
        elif what == "empty":
            bucket.client.objects, numbers = {k: v for k, v in bucket.client.objects.items() if k == HINT}, []
        elif what == "hole" and newest:
            bucket.client.objects.pop(manifest_key(newest))
            numbers.remove(newest)
        assert found(bucket) == max(numbers, default=0)
