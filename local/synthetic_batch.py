"""Batches that no extraction made: for benchmarks, and for the job that tells which classes it needs."""

from collections.abc import Mapping
from datetime import UTC, datetime

from contracts.protocol.bucket import Bucket
from contracts.protocol.manifest import Manifest, SourceIdentity, TableExtract
from contracts.protocol.object_layout import manifest_key
from contracts.release import FORMAT


def put_manifest(ingestion: Bucket, batch: int, tables: Mapping[str, TableExtract]) -> None:
    """Commit a batch whose parts are in the ingestion bucket."""
    manifest = Manifest(
        format=FORMAT,
        batch=batch,
        previous=batch - 1 or None,
        first=batch,
        unfinished=None,
        reason="",
        source=SourceIdentity("1", 1, 1),
        horizon=batch,
        snapshot_time=datetime.now(UTC).isoformat(timespec="microseconds"),
        tables=dict(tables),
    )
    ingestion.put_once(manifest_key(batch), manifest.to_json())
