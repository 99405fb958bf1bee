"""What is pending, told from S3 alone: the lake never waits for the warehouse."""

from contracts.errors import CustodyError, DamagedDocumentError
from contracts.protocol.bucket import Bucket
from contracts.protocol.progress import (
    newest_batch_number,
    newest_manifest_number,
    newest_publication_number,
    next_full_batch,
    oldest_waiting_batch,
    read_publication,
    whole_batches,
)
from contracts.protocol.steps import PendingAnswer
from contracts.tables.star import STAR_TABLES
from lambdas.observability import age


def check_pending(ingestion: Bucket, processed: Bucket) -> PendingAnswer:
    """Tell how far the lake is behind the whole batches, and whether a full batch waits behind the first pending one.

    Raises
    ------
    CustodyError
        When the lake is ahead of the batches: the ingestion bucket has lost some.
    """
    batches, published = _newest_batch(ingestion), newest_publication_number(processed)
    if published > batches:
        raise CustodyError(
            f"The lake in bucket {processed.name} has published batch {published}, and the newest whole batch in bucket "
            f"{ingestion.name} is {batches or 'none'}: the ingestion bucket has lost batches, or is another lake's. "
            f"Nothing was transformed or loaded. The next extraction numbers on after the lake and reads everything; if the "
            f"bucket is another lake's, correct the deployment."
        )
    return PendingAnswer(
        batches=batches,
        published=published,
        untransformed=batches - published,
        full_pending=batches > published and _is_full_one_behind(ingestion, published),
        waits_seconds=_waits_seconds(ingestion, published) if batches > published else None,
    )


def _waits_seconds(ingestion: Bucket, published: int) -> float | None:
    waiting = oldest_waiting_batch(ingestion, published)
    return age(waiting.taken_at) if waiting else None


def _newest_batch(ingestion: Bucket) -> int:
    """Return the number of the newest whole batch; a damaged manifest counts, so that the transform job tells of it."""
    try:
        return newest_batch_number(ingestion)
    except DamagedDocumentError:
        return newest_manifest_number(ingestion)


def _is_full_one_behind(ingestion: Bucket, published: int) -> bool:
    try:
        first = next(whole_batches(ingestion, published), None)
    except DamagedDocumentError:  # any readable one is behind it
        return next_full_batch(ingestion, published) is not None
    return first is not None and next_full_batch(ingestion, first.batch) is not None


def reported_by_the_lake(ingestion: Bucket, processed: Bucket) -> tuple[int, tuple[str, ...]]:
    """Return how many rows are quarantined after the newest publication, and the source tables whose key lists it asks for.

    Nothing is asked for while a batch waits: it may bring the lists, and asking again would only add batches to wait.
    """
    newest = newest_publication_number(processed)
    tables = read_publication(processed, newest).tables if newest else {}
    if _newest_batch(ingestion) > newest:
        return sum(table.quarantined for table in tables.values()), ()
    wanted = tuple(sorted(STAR_TABLES[name].source for name, table in tables.items() if table.surplus))
    return sum(table.quarantined for table in tables.values()), wanted
