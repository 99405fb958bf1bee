"""Pending batches in order; where one cannot be transformed, the next full batch takes the place of all before it."""

from collections.abc import Callable, Mapping

from contracts.errors import DamagedDocumentError, NewerDocumentError
from contracts.protocol.bucket import Bucket
from contracts.protocol.manifest import Manifest
from contracts.protocol.progress import newest_publication_number, next_full_batch, read_publication, whole_batches
from contracts.protocol.publication import Publication, Superseded
from glue_jobs.batch_run import publish
from glue_jobs.context import Context
from glue_jobs.custody import check_published
from glue_jobs.errors import ConflictError, OvertakenError, TransformError
from glue_jobs.maintenance.maintain import BACKLOG, BATCHES, compact_small_files

#: Characters of a reason that are kept.
REASON = 500


def transform_pending(
    ingestion: Bucket, processed: Bucket, context: Callable[[], Context], log: Callable[[str], None]
) -> None:
    """Publish every whole batch that has no publication.

    Parameters
    ----------
    context
        Called when there is something to do.

    Raises
    ------
    TransformError, DamagedDocumentError
        When a batch cannot be transformed and no full one follows it.
    CustodyError
        When batches and publications do not belong together. Nothing was committed.
    """
    published = newest_publication_number(processed)
    previous = read_publication(processed, published) if published else None
    if previous:
        check_published(ingestion, previous)
    is_due = False
    while _transform_next(ingestion, processed, previous, context, log):
        before, published = published, newest_publication_number(processed)
        previous = read_publication(processed, published) if published else None
        is_due = is_due or published // BATCHES > before // BATCHES
        if published // BACKLOG > before // BACKLOG:
            compact_small_files(context().lake, log)
            is_due = False
    if is_due:  # no later than when none waits: the next batch will look up its keys
        compact_small_files(context().lake, log)


def _transform_next(
    ingestion: Bucket,
    processed: Bucket,
    previous: Publication | None,
    context: Callable[[], Context],
    log: Callable[[str], None],
) -> bool:
    """Publish the next batch, or the full one that takes its place; return whether there was any."""
    published, reasons, manifest = previous.batch if previous else 0, dict[int, str](), None
    while True:
        try:
            manifest = manifest or next(whole_batches(ingestion, published), None)
            if manifest is None:
                return False
            publish(context(), manifest, previous, log, left_out(manifest, published, reasons))
            return True
        except (ConflictError, NewerDocumentError):
            raise
        except (TransformError, DamagedDocumentError) as error:
            if isinstance(error, OvertakenError) and newest_publication_number(processed) > published:
                log(str(error))
                return True
            # A batch that is overtaken by one that is not published was left out by a run that has died.
            full = next_full_batch(ingestion, manifest.batch if manifest else published)
            if full is None:
                raise
            reasons[manifest.batch if manifest else published + 1] = str(error)
            manifest = full
            for batch in left_out(full, published, reasons):
                log(f"batch {batch.batch}: left out, batch {full.batch} holds everything: {batch.reason}")


def left_out(manifest: Manifest, published: int, reasons: Mapping[int, str]) -> tuple[Superseded, ...]:
    """Return the batches whose place a full one takes: those that failed, and those that were to follow them.

    Parameters
    ----------
    published
        Number of the newest publication.
    reasons
        Why batches could not be transformed, by their numbers; empty when none has failed.
    """
    if not reasons:
        return ()
    cause = min(reasons)
    return tuple(
        Superseded(number, reasons.get(number, f"was left out together with batch {cause}")[:REASON])
        for number in range(published + 1, manifest.first)
    )
