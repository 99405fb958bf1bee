"""What a publication says of the batches whose place it takes."""

from dataclasses import replace

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
