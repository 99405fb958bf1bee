"""Which snapshots maintenance may forget, and what state a batch began from: decided from a list."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_jobs.lake.retention import due
from glue_jobs.lake.snapshots import NOTHING, Snapshot, state_after

NOW = datetime(2026, 11, 20, tzinfo=UTC)
LIMIT = NOW - timedelta(days=7)


def chain(*batches, first_id=1, ages=None):
    """Snapshots one after the other, the newest last; None is maintenance."""
    ages = ages or [30] * len(batches)
    return [
        Snapshot(i, i - 1 if i > 1 else None, batch, NOW - timedelta(days=age))
        for i, (batch, age) in enumerate(zip(batches, ages, strict=True), 1)
    ][first_id - 1 :]


def after(snapshots, batch):
    by_id = {s.id: s for s in snapshots}
    return state_after(snapshots[-1] if snapshots else None, by_id.get, batch)


def expired(snapshots, *, published, confirmed):
    current = snapshots[-1].id if snapshots else None
    return due(snapshots, current, published=published, confirmed=confirmed, limit=LIMIT)


@pytest.mark.parametrize(
    ("batches", "batch", "state"),
    [
        ((), 5, NOTHING),
        ((1, 2, 3), 3, 3),
        ((1, 2, 3), 2, 2),
        ((1, 2, None, 3), 2, 3),  # maintenance since then is included
        ((1, 2, None, 3, None), 2, 3),  # maintenance of what came later is not
        ((1, None, None), 1, 3),
        ((4, 5), 3, NOTHING),
        ((1, 4, 6), 5, 2),
    ],
)
def test_g3_the_state_after_a_batch_holds_nothing_of_a_later_one(batches, batch, state):
    assert after(chain(*batches), batch) == state


def test_g3_the_state_after_a_batch_is_found_where_older_snapshots_are_gone():
    assert after(chain(1, 2, None, first_id=3), 2) == 3
    assert after(chain(1, None, 3, first_id=2), 2) == 2
    assert after(chain(1, 2, 3, first_id=3), 2) is None


def test_g8_the_state_that_the_next_batch_begins_from_stays_whatever_its_age():
    # batch 3 has committed and is not published: when it is left out, the table is taken back to batch 2
    assert expired(chain(1, 2, 3), published=2, confirmed=2) == {1}
    assert expired(chain(1, 2, None, 3), published=2, confirmed=9) == {1, 2}
    assert expired(chain(1, 2, 3, None, None), published=2, confirmed=2) == {1}


def test_g3_snapshots_that_wait_for_the_warehouse_stay_however_long_it_is_down():
    snapshots = chain(1, 2, 3, 4, None, ages=[400, 300, 200, 100, 90])
    assert expired(snapshots, published=4, confirmed=2) == {1, 2}
    assert expired(snapshots, published=4, confirmed=0) == set()
    assert expired(snapshots, published=4, confirmed=4) == {1, 2, 3, 4}


def test_g3_young_snapshots_and_the_current_one_stay():
    assert expired(chain(1, 2, 3, ages=[8, 7, 6]), published=3, confirmed=3) == {1}
    assert expired(chain(1), published=1, confirmed=1) == set()
    assert expired([], published=0, confirmed=0) == set()


@given(st.data())
def test_g3_no_maintenance_ever_takes_what_is_needed(data):
    """Batches of growing numbers, maintenance between them, expiries at any time: the needed states stay reachable."""
    snapshots, published, confirmed = [], 0, 0
    for id in range(1, data.draw(st.integers(1, 12)) + 1):
        batch = data.draw(st.sampled_from([None, published, published + 1])) or None
        parent = snapshots[-1].id if snapshots else None
        snapshots.append(Snapshot(id, parent, batch, NOW - timedelta(days=data.draw(st.integers(0, 30)))))
        if batch and batch > published and data.draw(st.booleans()):
            published = batch
            confirmed = data.draw(st.integers(confirmed, published))
        gone = expired(snapshots, published=published, confirmed=confirmed)
        before = after(snapshots, published)
        snapshots = [s for s in snapshots if s.id not in gone]
        assert after(snapshots, published) == before
        assert before is not None
