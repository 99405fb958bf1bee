"""How far each stage is: the newest and the following documents of the batch protocol."""

from collections.abc import Iterator

from contracts.errors import DamagedDocumentError
from contracts.protocol.bucket import LOOKED_AT, Bucket
from contracts.protocol.listing import Listing
from contracts.protocol.manifest import Manifest, joined
from contracts.protocol.newest import newest_number
from contracts.protocol.object_layout import (
    LISTING_PREFIX,
    LOAD_PREFIX,
    MANIFEST_PREFIX,
    PUBLICATION_PREFIX,
    listing_key,
    manifest_key,
    publication_key,
)
from contracts.protocol.publication import Publication


def newest_manifest(bucket: Bucket) -> Manifest | None:
    """Read the newest manifest of the ingestion bucket, or None before the first batch."""
    number = newest_manifest_number(bucket)
    return read_manifest(bucket, number) if number else None


def read_manifest(bucket: Bucket, number: int) -> Manifest:
    """Read manifest `number` of the ingestion bucket."""
    key = manifest_key(number)
    return Manifest.from_json(bucket.get(key), key)


def newest_batch_number(bucket: Bucket) -> int:
    """Return the number of the newest whole batch, or 0: manifests of an unfinished one do not count."""
    number = newest_manifest_number(bucket)
    while number and (manifest := find_manifest(bucket, number)) and manifest.unfinished:
        number = manifest.first - 1
    return number


def find_manifest(bucket: Bucket, number: int) -> Manifest | None:
    """Read manifest `number` of the ingestion bucket, or None when there is no such object."""
    key = manifest_key(number)
    data = bucket.find(key)
    return None if data is None else Manifest.from_json(data, key)


def read_batch(bucket: Bucket, number: int) -> Manifest:
    """Read the whole batch that manifest `number` ends."""
    last = read_manifest(bucket, number)
    return joined([*(read_manifest(bucket, n) for n in range(last.first, number)), last])


def next_full_batch(bucket: Bucket, after: int) -> Manifest | None:
    """Read the first whole batch after number `after` that needs nothing of what came before it, or None.

    Manifests that are missing or damaged are passed over: such a batch is what takes their place.
    """
    manifests: list[Manifest] = []
    for key in bucket.keys_after(MANIFEST_PREFIX, after):
        try:
            manifests.append(Manifest.from_json(bucket.get(key), key))
        except DamagedDocumentError:
            continue
        whole = _whole(manifests)
        if whole and whole.is_full:
            return whole
    return None


def whole_batches(bucket: Bucket, after: int) -> Iterator[Manifest]:
    """Read the batches after number `after`, in order, each put together from its manifests.

    An unfinished one, which is always the newest, does not come.
    """
    manifests: list[Manifest] = []
    for number in range(after + 1, newest_manifest_number(bucket) + 1):
        manifest = find_manifest(bucket, number)
        if manifest is None:
            raise DamagedDocumentError(
                f"{manifest_key(number)} is missing and newer manifests exist. Restore the object from its previous version, "
                f'or let the extraction read everything anew ({{"read": "everything"}}).'
            )
        manifests.append(manifest)
        if whole := _whole(manifests):
            yield whole
            manifests = []


def _whole(manifests: list[Manifest]) -> Manifest | None:
    """Put the batch together that the last of `manifests` ends, or return None when it is not ended or not all there."""
    last = manifests[-1]
    parts = [manifest for manifest in manifests if manifest.batch >= last.first]
    return joined(parts) if last.unfinished is None and len(parts) == last.batch - last.first + 1 else None


def read_publication(bucket: Bucket, number: int) -> Publication:
    """Read publication `number` of the processed bucket."""
    key = publication_key(number)
    return Publication.from_json(bucket.get(key), key)


def find_publication(bucket: Bucket, number: int) -> Publication | None:
    """Read publication `number` of the processed bucket, or None when there is no such object."""
    key = publication_key(number)
    data = bucket.find(key)
    return None if data is None else Publication.from_json(data, key)


def publications_after(bucket: Bucket, number: int) -> Iterator[Publication]:
    """Read the publications after `number`, in order."""
    while keys := bucket.keys_after(PUBLICATION_PREFIX, number, limit=100):
        for key in keys:
            publication = Publication.from_json(bucket.get(key), key)
            yield publication
            number = publication.batch


def newest_listing(bucket: Bucket) -> Listing | None:
    """Read the newest listing, or None when there is none."""
    number = newest_number(bucket, LISTING_PREFIX)
    key = listing_key(number)
    return Listing.from_json(bucket.get(key), key) if number else None


def newest_load_number(bucket: Bucket) -> int:
    """Return the number of the newest batch that a load has confirmed, or 0."""
    return newest_number(bucket, LOAD_PREFIX)


def oldest_waiting_batch(ingestion: Bucket, shown: int) -> Manifest | None:
    """Read the oldest manifest after batch `shown`, the newest that the warehouse shows; None when there is none.

    A damaged one is passed over: how long a batch waits is no reason to stop.
    """
    for key in ingestion.keys_after(MANIFEST_PREFIX, shown, limit=LOOKED_AT):
        try:
            return Manifest.from_json(ingestion.get(key), key)
        except DamagedDocumentError:
            continue
    return None


def newest_publication_number(bucket: Bucket) -> int:
    """Return the number of the newest publication, or 0."""
    return newest_number(bucket, PUBLICATION_PREFIX)


def newest_manifest_number(bucket: Bucket) -> int:
    """Return the number of the newest manifest, or 0."""
    return newest_number(bucket, MANIFEST_PREFIX)
