"""What a publication says of the batches whose place it takes, and when small files are compacted between batches."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from contracts.errors import DamagedDocumentError, NewerDocumentError
from glue_jobs import pending
from glue_jobs.pending import REASON, left_out
from tests.support.samples import manifest


def test_g3_every_batch_that_is_left_out_is_named_with_its_reason():
    full = manifest(7)
    lists = {name: replace(extract, key_parts=extract.parts) for name, extract in full.tables.items()}
    assert left_out(full, 6, {}) == ()
    found = left_out(full, 2, {4: "x" * 900})
    assert [s.batch for s in found] == [3, 4, 5, 6]
    assert {len(s.reason) for s in found if s.batch == 4} == {REASON}
    assert found[2].reason == "was left out together with batch 4"
    assert [s.batch for s in left_out(replace(full, first=5, tables=lists), 2, {3: "a", 4: "b"})] == [3, 4]


@pytest.mark.parametrize("error", [NewerDocumentError, DamagedDocumentError])
def test_g3_only_a_damaged_batch_gives_way_to_a_full_one_and_never_one_of_a_newer_release(monkeypatch, error):
    published = []

    def unreadable(*_):
        raise error("batches/00000001.json")

    monkeypatch.setattr(pending, "whole_batches", unreadable)
    monkeypatch.setattr(pending, "next_full_batch", lambda *_: manifest(2))
    monkeypatch.setattr(pending, "publish", lambda _, full, *__: published.append(full.batch))
    if error is NewerDocumentError:
        with pytest.raises(NewerDocumentError):
            pending._transform_next(None, None, None, lambda: None, print)
    else:
        assert pending._transform_next(None, None, None, lambda: None, print)
    assert published == ([] if error is NewerDocumentError else [2])


@pytest.mark.parametrize(
    ("waiting", "compacted"),
    [
        (range(2, 4), []),
        (range(2, 5), [4]),  # one batch or a few: as soon as none waits
        (range(4, 7), [6]),
        (range(2, 16), [8, 15]),  # many: their keys are looked up together, up to this batch
        (range(2, 18), [8, 16]),
        (range(2, 21), [8, 16, 20]),
    ],
)
def test_g9_small_files_are_compacted_before_keys_are_looked_up_next(monkeypatch, waiting, compacted):
    published, done, numbers = [waiting[0] - 1], [], iter(waiting)

    def transform_next(*_):
        number = next(numbers, None)
        published.extend([number] if number else [])
        return number is not None

    monkeypatch.setattr(pending, "_transform_next", transform_next)
    monkeypatch.setattr(pending, "newest_publication_number", lambda _: published[-1])
    monkeypatch.setattr(pending, "read_publication", lambda *_: None)
    monkeypatch.setattr(pending, "compact_small_files", lambda *_: done.append(published[-1]))
    monkeypatch.setattr(pending, "BATCHES", 4)
    monkeypatch.setattr(pending, "BACKLOG", 8)
    pending.transform_pending(None, None, lambda: SimpleNamespace(lake=None), print)
    assert done == compacted
