"""Keys that waiting batches will ask for. What is wrong with such a batch is told when its turn comes."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile

from contracts.errors import DamagedDocumentError, NewerDocumentError, StorageError
from contracts.protocol.bucket import Bucket
from contracts.protocol.manifest import Manifest
from contracts.protocol.progress import whole_batches
from contracts.tables.source import SOURCE_TABLES
from glue_jobs.errors import IngestionDamagedError
from glue_jobs.maintenance.maintain import BACKLOG
from glue_jobs.staging.csv_parts import Reading, record_batches
from glue_jobs.staging.frames import are_read_here

#: How many keys are taken.
KEYS = 20_000


def coming_keys(bucket: Bucket, after: int, source: str) -> set[int]:
    """Return keys that the batches after number `after` have for a source table, up to the one after which files are compacted.

    So the next look-up comes when there are few files to open: it opens those of all batches since then. Parts that are too
    large to be read here are left out.
    """
    keys, last = set[int](), (after // BACKLOG + 1) * BACKLOG
    with suppress(DamagedDocumentError, NewerDocumentError, IngestionDamagedError, StorageError, ValueError):
        for manifest in takewhile(lambda waiting: waiting.batch <= last, whole_batches(bucket, after)):
            for key in _keys(bucket, manifest, source):
                keys.add(key)
                if len(keys) == KEYS:
                    return keys
    return keys


def _keys(bucket: Bucket, manifest: Manifest, source: str) -> Iterator[int]:
    extract, key = manifest.tables[source], SOURCE_TABLES[source].key
    if key not in extract.columns or not are_read_here(extract.parts):
        return
    reading = Reading(manifest.batch, source, bucket.name, extract.columns)
    for part in extract.parts:
        for rows in record_batches(bucket.client, reading, part):
            yield from map(int, rows.column(key).drop_null().to_pylist())
