"""What the load function does: load what is pending, rebuild the warehouse, or tell what is pending."""

from collections.abc import Callable
from datetime import UTC, datetime

from contracts.metrics import ROWS_QUARANTINED
from contracts.protocol.bucket import Bucket
from contracts.protocol.load_note import LoadNote
from contracts.protocol.newest import note_newest
from contracts.protocol.object_layout import LOAD_PREFIX, load_key
from contracts.protocol.progress import (
    newest_listing,
    newest_load_number,
    oldest_waiting_batch,
    publications_after,
    read_publication,
)
from contracts.protocol.publication import Publication
from contracts.protocol.steps import DropAnswer, LoadAnswer, LoadEvent, PendingAnswer, RebuildAnswer, Step
from contracts.release import FORMAT, RELEASE
from contracts.tables.former import former_columns
from contracts.tables.star import STAR_TABLES
from lambdas import clients
from lambdas.errors import AnotherLoadError, ListingMissingError, SecretUnsetError
from lambdas.load.custody import Owner
from lambdas.load.lake_files import LakeFiles
from lambdas.load.loading import check_custody, rebuild_check
from lambdas.load.pending_check import check_pending, reported_by_the_lake
from lambdas.load.rebuild import Rebuild
from lambdas.load.session import Clock, attempts, open_warehouse
from lambdas.load.settings import LoadSettings
from lambdas.load.staged_load import Outcome, load_in_time
from lambdas.observability import MetricUnit, age, logger, metrics


def answer(
    settings: LoadSettings, event: LoadEvent, remaining_seconds: Callable[[], float]
) -> LoadAnswer | PendingAnswer | RebuildAnswer | DropAnswer:
    """Do what the event asks for."""
    if event.step == Step.CHECK_PENDING:
        return check_pending(*_buckets(settings))
    if event.step == Step.REBUILD:
        return rebuild(settings, remaining_seconds, take_over=event.take_over)
    if event.step == Step.DROP_COLUMNS:
        return drop_columns(settings, event.columns)
    return load(settings, remaining_seconds)


def load(settings: LoadSettings, remaining_seconds: Callable[[], float]) -> LoadAnswer:
    """Load pending publications in order, as long as time remains; what passes by itself is tried again."""
    ingestion, processed = _buckets(settings)
    lake = LakeFiles.open(processed.name)
    loaded: list[int] = []
    last, waits, more, reason = 0, False, False, ""
    clock = Clock(remaining_seconds, settings.load_seconds)
    try:
        for attempt in attempts(remaining_seconds):
            with attempt, open_warehouse(settings) as warehouse:
                last, more = check_custody(warehouse, processed), False
                for publication in publications_after(processed, last):
                    if not clock.may_go_on():
                        more = bool(loaded)
                        break
                    outcome = load_in_time(warehouse, lake, publication, clock)
                    if outcome is Outcome.STAGED:
                        more = True
                        break
                    if outcome is Outcome.LOADED:
                        loaded.append(publication.batch)
                        _report(publication)
                    last = publication.batch
                last = warehouse.last_batch()
    except AnotherLoadError as error:
        waits = True
        logger.warning("another load is at work", detail=str(error))
    except SecretUnsetError as error:
        reason = f"waiting for the secret: {error}"
        logger.warning(reason)
    finally:  # what stands before a publication that cannot be loaded is in the warehouse
        _confirm(processed, last)
    if (waits or reason) and not last:  # nobody could look into the ledger
        last = newest_load_number(processed)
    quarantined, wanted = reported_by_the_lake(ingestion, processed)
    metrics.add_metric(ROWS_QUARANTINED, MetricUnit.Count, quarantined)
    return LoadAnswer(
        loaded=tuple(loaded),
        last=last,
        waits=waits,
        freshness=_freshness(ingestion, last),
        quarantined=quarantined,
        keys_wanted=wanted,
        wanted=len(wanted),
        more=more,
        reason=reason,
    )


def rebuild(
    settings: LoadSettings, remaining_seconds: Callable[[], float], *, take_over: bool = False
) -> RebuildAnswer:
    """Rebuild the warehouse from the newest listing of the lake's files, as far as the time goes.

    Parameters
    ----------
    take_over
        Whether the warehouse becomes this lake's even if it is another's, or further than this lake.

    Raises
    ------
    ListingMissingError
        When the job has listed nothing.
    CustodyError
        When the warehouse is another lake's, or further; nothing was changed.
    """
    _, processed = _buckets(settings)
    listing = newest_listing(processed)
    if listing is None:
        raise ListingMissingError(
            'The lake\'s files are not listed. Start the state machine with {"mode": "rebuild"}: it lists them first.'
        )
    newest = read_publication(processed, listing.batch)
    owner = Owner(newest.lake or listing.lake, processed.name, settings.warehouse_schema)
    check = None if take_over else rebuild_check(processed, owner)
    clock = Clock(remaining_seconds, settings.load_seconds)
    try:
        for attempt in attempts(remaining_seconds):
            with attempt, open_warehouse(settings) as warehouse:
                work = Rebuild(warehouse, LakeFiles.open(processed.name), listing, owner, check)
                is_filled = work.fill(lambda number: publications_after(processed, number), clock.may_go_on)
                if not is_filled or (work.copied and not clock.may_exchange()):
                    return RebuildAnswer(done=False, last=warehouse.last_batch())
                last = work.exchange(newest, publications_after(processed, listing.batch))
    except AnotherLoadError as error:
        logger.warning("another load is at work", detail=str(error))
        return RebuildAnswer(done=False, waits=True)
    return RebuildAnswer(done=True, last=last)


def drop_columns(settings: LoadSettings, text: str) -> DropAnswer:
    """Drop columns that the contract has given up from the warehouse's own tables.

    Raises
    ------
    ContractConflictError
        When the contract still has one of them; nothing was dropped.
    PrivilegeError
        When a table is somebody else's; nothing was dropped.
    """
    columns = former_columns(text)
    with open_warehouse(settings) as warehouse:
        warehouse.drop_columns(columns)
    return DropAnswer(dropped=tuple(f"{table.name}.{column}" for table, column in columns))


def _buckets(settings: LoadSettings) -> tuple[Bucket, Bucket]:
    """Return the ingestion and the processed bucket."""
    client = clients.client("s3")
    return Bucket(client, settings.ingestion_bucket), Bucket(client, settings.processed_bucket)


def _freshness(ingestion: Bucket, last: int) -> float:
    """Return for how many seconds the oldest batch after `last` has waited."""
    waiting = oldest_waiting_batch(ingestion, last)
    return age(waiting.taken_at) if waiting else 0.0


def _confirm(processed: Bucket, last: int) -> None:
    """Note beside the lake that the warehouse shows a batch: the extraction, which knows no warehouse, watches it."""
    if last and newest_load_number(processed) < last:
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        note = LoadNote(batch=last, confirmed_at=now, format=FORMAT, release=RELEASE)
        processed.put(load_key(last), note.to_json())
        note_newest(processed, LOAD_PREFIX, last, logger.warning)


def _report(publication: Publication) -> None:
    for left_out in publication.superseded:
        logger.warning("batch superseded", batch=left_out.batch, by=publication.batch, reason=left_out.reason)
    changed = {
        name: table.rows + table.deleted
        for name, table in publication.tables.items()
        if name in STAR_TABLES and (table.rows or table.deleted)
    }
    seconds = age(publication.taken_at)
    logger.info("publication loaded", batch=publication.batch, seconds_to_warehouse=seconds, changed=changed)
