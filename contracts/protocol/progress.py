"""The batch protocol over S3: numbered documents with a conditional put, and their newest number."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import DamagedDocumentError, DuplicateNumberError, StorageError
from contracts.protocol.listing import Listing
from contracts.protocol.manifest import Manifest, joined
from contracts.protocol.object_layout import (
    LISTING_PREFIX,
    LOAD_PREFIX,
    MANIFEST_PREFIX,
    PUBLICATION_PREFIX,
    document_number,
    listing_key,
    manifest_key,
    newest_number,
    publication_key,
)
from contracts.protocol.publication import Publication

#: No document has a higher number.
HIGHEST_NUMBER = 99_999_999
#: Keys listed at a time, where one would do: some may be no documents.
LOOKED_AT = 20
#: How often a conditional put is tried while another one of the same key is under way.
ATTEMPTS = 5


class Bucket:
    """One bucket, as the batch protocol uses it.

    Parameters
    ----------
    client
        A boto3 S3 client.
    name
        Name of the bucket.
    """

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name

    def newest(self, prefix: str) -> int:
        """Return the newest number under `prefix`, or 0."""
        return newest_number(lambda number: bool(self.keys_after(prefix, number, limit=1)))

    def keys_after(self, prefix: str, number: int, limit: int = 1000) -> list[str]:
        """Return up to `limit` keys of documents numbered greater than `number`, in order.

        What somebody else has put beside them is passed over.
        """
        found: list[str] = []
        last = f"{prefix}{number:08d}.json"
        while len(found) < limit:
            answer = self._call("list_objects_v2", Prefix=prefix, StartAfter=last, MaxKeys=max(limit, LOOKED_AT))
            keys = [item["Key"] for item in answer.get("Contents", [])]
            found += [key for key in keys if document_number(prefix, key) is not None]
            if not answer.get("IsTruncated") or keys[-1] > f"{prefix}{HIGHEST_NUMBER}.json":
                break
            last = keys[-1]
        return found[:limit]

    def get(self, key: str) -> bytes:
        """Return an object's bytes."""
        body: bytes = self._call("get_object", Key=key)["Body"].read()
        return body

    def size(self, key: str) -> int | None:
        """Return an object's size in bytes, or None when there is no such object."""
        try:
            return int(self.client.head_object(Bucket=self.name, Key=key)["ContentLength"])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey", "NotFound"):
                return None
            raise self._explain("head_object", error) from None

    def put(self, key: str, data: bytes) -> None:
        """Write an object, whether it exists or not."""
        self._call("put_object", Key=key, Body=data, ContentType="application/json")

    def put_once(self, key: str, data: bytes) -> None:
        """Write an object that must not exist yet, or that is these bytes already.

        An answer may be lost, and the client then repeats its request: what it finds there is its own object.

        Raises
        ------
        DuplicateNumberError
            When another run wrote it first. Nothing was changed.
        StorageError
            When S3 fails, and the object is not there afterwards or cannot be looked at.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._put_if_absent(key, data)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code")
                if code == "ConditionalRequestConflict" and attempt < ATTEMPTS:
                    continue  # another put of this key is under way: it may fail yet
                if code not in ("PreconditionFailed", "ConditionalRequestConflict"):
                    raise self._explain("put_object", error) from None
                if self._holds(key, data):
                    return None
                raise DuplicateNumberError(f"{key} was committed by another run first") from None
            except BotoCoreError as error:
                if self._holds(key, data):
                    return None
                raise self._explain("put_object", error) from None
        raise AssertionError("unreachable")

    def _put_if_absent(self, key: str, data: bytes) -> None:
        events = self.client.meta.events
        events.register("before-call.s3.PutObject", _only_if_absent)
        try:
            self.client.put_object(Bucket=self.name, Key=key, Body=data, ContentType="application/json")
        finally:
            events.unregister("before-call.s3.PutObject", _only_if_absent)

    def _holds(self, key: str, data: bytes) -> bool:
        """Tell whether the object is there and has these bytes."""
        return self.size(key) == len(data) and self.get(key) == data

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self.client, operation)(Bucket=self.name, **arguments)
        except (ClientError, BotoCoreError) as error:
            raise self._explain(operation, error) from None
        return answer

    def _explain(self, operation: str, error: Exception) -> StorageError:
        return StorageError(
            f"S3 {operation} on bucket {self.name} failed: {type(error).__name__} {error}. Nothing was committed; "
            f"the next run goes on."
        )


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
    return read_manifest(bucket, number) if bucket.size(manifest_key(number)) is not None else None


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


def publications_after(bucket: Bucket, number: int) -> Iterator[Publication]:
    """Read the publications after `number`, in order."""
    while keys := bucket.keys_after(PUBLICATION_PREFIX, number, limit=100):
        for key in keys:
            publication = Publication.from_json(bucket.get(key), key)
            yield publication
            number = publication.batch


def newest_listing(bucket: Bucket) -> Listing | None:
    """Read the newest listing, or None when there is none."""
    number = bucket.newest(LISTING_PREFIX)
    key = listing_key(number)
    return Listing.from_json(bucket.get(key), key) if number else None


def newest_load_number(bucket: Bucket) -> int:
    """Return the number of the newest batch that a load has confirmed, or 0."""
    return bucket.newest(LOAD_PREFIX)


def oldest_waiting_batch(ingestion: Bucket, shown: int) -> Manifest | None:
    """Read the oldest manifest after batch `shown`, the newest that the warehouse shows; None when there is none."""
    keys = ingestion.keys_after(MANIFEST_PREFIX, shown, limit=1)
    return Manifest.from_json(ingestion.get(keys[0]), keys[0]) if keys else None


def newest_publication_number(bucket: Bucket) -> int:
    """Return the number of the newest publication, or 0."""
    return bucket.newest(PUBLICATION_PREFIX)


def newest_manifest_number(bucket: Bucket) -> int:
    """Return the number of the newest manifest, or 0."""
    return bucket.newest(MANIFEST_PREFIX)


def _only_if_absent(params: dict[str, Any], **_: Any) -> None:
    # The boto3 that Glue ships predates put_object's IfNoneMatch parameter; S3 itself only sees the header.
    params["headers"]["If-None-Match"] = "*"
