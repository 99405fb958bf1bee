"""Whether batches and publications belong together: a lake takes only what its own extraction has handed to it."""

from contracts.errors import CustodyError
from contracts.protocol.bucket import Bucket
from contracts.protocol.document import digest
from contracts.protocol.manifest import Manifest
from contracts.protocol.object_layout import manifest_key, publication_key
from contracts.protocol.publication import Publication


def check_lake(manifest: Manifest, previous: Publication | None) -> None:
    """Check that a batch is of the same lake as the publication before it, where both say so.

    Raises
    ------
    CustodyError
        When it is another's. Nothing was committed.
    """
    if previous and manifest.lake and previous.lake and manifest.lake != previous.lake:
        raise CustodyError(
            f"Batch {manifest.batch} is of lake {manifest.lake}, and {publication_key(previous.batch)} of lake {previous.lake}. "
            f"Nothing of the batch was committed. Let the job read the ingestion bucket that belongs to its processed one, or "
            f"give the new lake a processed bucket and a database of its own."
        )


def check_published(ingestion: Bucket, publication: Publication) -> None:
    """Check that the manifest of a published batch, where there still is one, is the one that was published.

    Raises
    ------
    CustodyError
        When it is another. Nothing was committed.
    """
    key = manifest_key(publication.batch)
    manifest = ingestion.find(key) if publication.manifest else None
    if manifest is None or digest(manifest) == publication.manifest:
        return
    raise CustodyError(
        f"{key} is not the manifest that {publication_key(publication.batch)} was made of. Nothing was committed. Restore the "
        f"object from its previous version; if the bucket is another lake's, let the job read its own."
    )
