"""How old what the warehouse lacks is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.protocol.object_layout import MANIFEST_PREFIX, manifest_key
from local.status import freshness
from tests.support.samples import manifest


class Ingestion:
    """A bucket of manifests."""

    def __init__(self, *documents):
        self._documents = {manifest_key(number): body for number, body in enumerate(documents, 1)}

    def keys_after(self, prefix, number):
        assert prefix == MANIFEST_PREFIX
        return [key for key in self._documents if key > manifest_key(number)]

    def get(self, key):
        return self._documents[key]


def _batch(number, *, waits, clock_ahead=0):
    """A batch that has waited for some seconds, of a source whose clock is ahead of ours."""
    taken = datetime.now(UTC) - timedelta(seconds=waits)
    source = taken + timedelta(seconds=clock_ahead)
    return replace(manifest(number), extracted_at=taken.isoformat(), snapshot_time=source.isoformat()).to_json()


def test_the_oldest_batch_that_the_warehouse_lacks_tells_the_age():
    ingestion = Ingestion(_batch(1, waits=900), _batch(2, waits=600), _batch(3, waits=30))
    assert freshness(ingestion, 1) == pytest.approx(600, abs=20)
    assert freshness(ingestion, 3) == 0


@pytest.mark.parametrize("ahead", [3600, -3600])
def test_the_sources_clock_does_not_matter(ahead):
    assert freshness(Ingestion(_batch(1, waits=600, clock_ahead=ahead)), 0) == pytest.approx(600, abs=20)


def test_an_age_is_never_negative():
    assert freshness(Ingestion(_batch(1, waits=-300)), 0) == 0


def test_a_damaged_manifest_does_not_hide_the_others():
    assert freshness(Ingestion(b"{", _batch(2, waits=600)), 0) == pytest.approx(600, abs=20)
