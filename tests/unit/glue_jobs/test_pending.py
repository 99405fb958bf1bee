"""What a publication says of the batches whose place it takes."""

from dataclasses import replace

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
