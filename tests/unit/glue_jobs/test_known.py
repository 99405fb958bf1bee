"""What a run remembers of the newest versions, and when it looks again."""

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import pytest

from contracts.protocol.bucket import Bucket
from contracts.protocol.manifest import Part
from contracts.protocol.object_layout import manifest_key
from contracts.tables.lake import SOURCE_DELETION
from contracts.tables.source import SOURCE_TABLES
from glue_jobs.lake.states import Commit, Head
from glue_jobs.staging import coming
from glue_jobs.versions import known
from tests.support.s3 import MemoryS3
from tests.support.samples import manifest

LAKE = {1: "one", 2: "two", 3: "three"}


class Run:
    """A run that works on one table; `looked_up` has the keys of each look-up."""

    def __init__(self, monkeypatch, coming=()):
        self.context = SimpleNamespace(remembered={}, ingestion=None)
        self.looked_up, self.lake, self.snapshot, self.deletions = [], dict(LAKE), 1, "d1"
        monkeypatch.setattr(known, "newest_versions", self._look_up)
        monkeypatch.setattr(known, "coming_keys", lambda *_: set(coming))

    def _look_up(self, batch, table, *, before, keys):
        self.looked_up.append(set(keys))
        rows = [{"sales_order_id": key, "row_hash": self.lake[key]} for key in keys if key in self.lake]
        return SimpleNamespace(collect=lambda: rows)

    def staged(self, number):
        before = SimpleNamespace(lowest_key=1, highest_key=max(self.lake))
        deletions = {SOURCE_DELETION.name: SimpleNamespace(snapshot_id=self.deletions)}
        batch = SimpleNamespace(number=number, before=deletions, context=self.context)
        table = SimpleNamespace(name="fact_sales_order", key="sales_order_id")
        return SimpleNamespace(batch=batch, table=table, before=before, source=SOURCE_TABLES["sales_order"])

    def commit(self, batch):
        return Commit(str(self.snapshot), batch, "fact_sales_order")

    def known(self, number, keys, batch=0):
        return known.known_versions(self.staged(number), Head(str(self.snapshot), self.commit(batch)), keys)

    def write(self, number, hashes):
        staged, head = self.staged(number), Head(str(self.snapshot), self.commit(number - 1))
        self.lake |= hashes
        self.snapshot += 1
        known.remember(staged, head, self.commit(number), hashes)


def test_what_was_found_and_written_is_not_looked_up_again(monkeypatch):
    run = Run(monkeypatch)
    assert run.known(2, [1, 2, 9]) == {1: "one", 2: "two"}
    run.write(2, {1: "ONE", 9: "nine"})
    assert run.known(3, [1, 2, 9], batch=2) == {1: "ONE", 2: "two", 9: "nine"}
    assert run.looked_up == [{1, 2}]


def test_a_run_that_comes_to_a_second_batch_looks_up_what_waits_behind_it(monkeypatch):
    run = Run(monkeypatch, coming={3, 5, 77, 500})
    assert run.known(2, [1]) == {1: "one"}
    assert run.looked_up == [{1}], "one batch is often all"
    run.write(2, {1: "ONE", 90: "ninety"})
    assert run.known(3, [2], batch=2) == {2: "two"}
    assert run.known(4, [1, 3, 5, 77], batch=2) == {1: "ONE", 3: "three"}
    assert run.looked_up == [{1}, {2, 3, 5, 77}], "nothing has so high a key as 500"


@pytest.mark.parametrize("other", ["another run's commit", "deletions"])
def test_g7_what_is_remembered_ends_with_what_others_change(monkeypatch, other):
    run = Run(monkeypatch)
    run.known(2, [1, 2])
    run.write(2, {1: "ONE"})
    del run.lake[2]
    if other == "deletions":
        run.deletions = "d2"
    else:
        run.snapshot += 1
    assert run.known(3, [1, 2], batch=2) == {1: "ONE"}
    assert run.looked_up == [{1, 2}, {1, 2}]


def test_g3_an_earlier_try_of_the_batch_is_looked_past_and_nothing_remembered(monkeypatch):
    run = Run(monkeypatch)
    assert run.known(2, [1], batch=2) == {1: "one"}
    assert run.known(2, [1], batch=2) == {1: "one"}
    assert run.looked_up == [{1}, {1}]
    assert not run.context.remembered


def test_no_more_is_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(known, "KEYS", 3)
    run = Run(monkeypatch)
    run.known(2, [1, 2, 3])
    run.write(2, {4: "four"})
    assert run.known(3, [1, 4], batch=2) == {1: "one", 4: "four"}
    assert run.looked_up == [{1, 2, 3}, {1, 4}]


def test_nothing_is_looked_up_in_an_empty_table(monkeypatch):
    run = Run(monkeypatch)
    assert known.known_versions(run.staged(1), Head("", None), [1, 2]) == {}
    assert run.known(2, [50]) == {}
    assert run.looked_up == []


class Waiting:
    """Batches 2 and on that wait, with the orders that they hold."""

    def __init__(self, *batches):
        self.s3 = MemoryS3()
        self.bucket = Bucket(self.s3, "ingestion")
        self.bucket.put(manifest_key(1), manifest(1).to_json())
        for number, orders in enumerate(batches, 2):
            self._commit(number, orders)

    def _commit(self, number, orders):
        columns = SOURCE_TABLES["sales_order"].column_names
        lines = [",".join(columns), *(f"{order}{',' * (len(columns) - 1)}" for order in orders)]
        body = "".join(f"{line}\n" for line in lines).encode()
        key = f"sales_order/{number:08d}-x-0001.csv"
        self.bucket.put(key, body)
        part = Part(key, len(body), len(orders), hashlib.sha256(body).hexdigest())
        made = manifest(number)
        extract = replace(made.tables["sales_order"], read="changed", columns=columns, parts=(part,), rows=len(orders))
        self.bucket.put(manifest_key(number), replace(made, tables=made.tables | {"sales_order": extract}).to_json())

    def keys(self, after=2):
        return coming.coming_keys(self.bucket, after, "sales_order")


def test_the_keys_of_waiting_batches_are_read_from_their_parts(monkeypatch):
    waiting = Waiting([1], [2, 3], [4])
    assert waiting.keys() == {2, 3, 4}
    monkeypatch.setattr(coming, "BACKLOG", 1)
    assert waiting.keys() == {2, 3}
    monkeypatch.setattr(coming, "KEYS", 1)
    assert len(waiting.keys()) == 1


@pytest.mark.parametrize(("after", "keys"), [(2, {3, 4}), (3, {4}), (4, {5, 6, 7, 8}), (7, {8}), (8, {9})])
def test_g9_keys_are_taken_up_to_the_batch_after_which_small_files_are_compacted(monkeypatch, after, keys):
    """The next look-up then opens few files, however many those batches have written."""
    monkeypatch.setattr(coming, "BACKLOG", 4)
    assert Waiting(*([number] for number in range(2, 10))).keys(after) == keys


@pytest.mark.parametrize("what", ["part", "manifest", "refused", "key"])
def test_g3_what_is_wrong_with_a_waiting_batch_is_told_when_its_turn_comes(what):
    waiting = Waiting([1], [2], ["no number"] if what == "key" else [3])
    key = manifest_key(4) if what == "manifest" else "sales_order/00000004-x-0001.csv"
    if what == "refused":
        waiting.s3.refuses.add(("GetObject", key))
    elif what != "key":
        waiting.bucket.put(key, b"{}")
    assert waiting.keys() == {2}


def test_large_parts_of_waiting_batches_are_left_to_their_turn(monkeypatch):
    monkeypatch.setattr("glue_jobs.staging.frames.HERE_ROWS", 1)
    assert Waiting([1], [2, 3], [4]).keys() == {4}
