"""The listing: which files the lake consists of after the newest publication, so that a warehouse can be rebuilt from them."""

from collections.abc import Callable
from datetime import UTC, datetime

from contracts.protocol.bucket import Bucket
from contracts.protocol.listing import LISTED_TABLES, Listing
from contracts.protocol.newest import note_newest
from contracts.protocol.object_layout import LISTING_PREFIX, listing_key
from contracts.protocol.progress import newest_publication_number, read_publication
from contracts.release import FORMAT, RELEASE
from glue_jobs.errors import TransformError
from glue_jobs.lake.tables import Lake


def list_files(lake: Lake, processed: Bucket, log: Callable[[str], None]) -> None:
    """Write the listing. What a batch has committed that is not published yet is left out.

    Raises
    ------
    TransformError
        When nothing was ever published.
    """
    number = newest_publication_number(processed)
    if not number:
        raise TransformError("Nothing is published: there is nothing to rebuild a warehouse from.")
    publication = read_publication(processed, number)
    listing = Listing(
        format=FORMAT,
        release=RELEASE,
        batch=number,
        snapshot_time=publication.snapshot_time,
        listed_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        lake=publication.lake,
        tables={
            name: lake.files_after(table, number) if lake.exists(table) else () for name, table in LISTED_TABLES.items()
        },
    )
    processed.put(listing_key(number), listing.to_json())
    note_newest(processed, LISTING_PREFIX, number, log)
    files = [file for listed in listing.tables.values() for file in listed]
    log(f"batch {number}: {len(files)} files, {sum(file.rows for file in files)} rows listed")
