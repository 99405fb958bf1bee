"""One extraction: from the newest manifest to the next one."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg

from contracts.errors import DamagedDocumentError, DuplicateNumberError, NewerDocumentError
from contracts.protocol.bucket import Bucket
from contracts.protocol.manifest import Manifest, Part
from contracts.protocol.newest import note_newest
from contracts.protocol.object_layout import MANIFEST_PREFIX, PUBLICATION_PREFIX, manifest_key
from contracts.protocol.progress import (
    newest_manifest,
    newest_manifest_number,
    newest_publication_number,
    read_publication,
)
from contracts.protocol.steps import ExtractAnswer
from contracts.tables.source import SOURCE_TABLES
from lambdas import clients
from lambdas.database import open_database
from lambdas.errors import AnotherExtractionError, SecretUnsetError, SourceMovedError
from lambdas.extract import witness
from lambdas.extract.clock import Clock
from lambdas.extract.copying import Chunk
from lambdas.extract.event import Request
from lambdas.extract.guest import Guest
from lambdas.extract.lease import lease_key
from lambdas.extract.manifest import adds_nothing, build_manifest, news
from lambdas.extract.parts import write_parts
from lambdas.extract.plan import Outcome, Plan, plan
from lambdas.extract.reading import Write, read
from lambdas.extract.settings import ExtractSettings
from lambdas.extract.shapes import read_catalog
from lambdas.extract.snapshot import Snapshot, explained, open_snapshot
from lambdas.observability import logger

#: How often an extraction begins again because the source's tables moved, or because it lost the race and was asked for more.
ATTEMPTS = 3
#: For how many seconds a run waits for another one to end when no more is asked of it than what changed, and between two looks.
PATIENCE_SECONDS, LOOK_SECONDS = 10, 1.0


class _GaveWayError(Exception):
    """Somebody waits for a table that is being read, and nothing of this reading can be kept."""


def extract(
    settings: ExtractSettings,
    request: Request = Request(),
    *,
    seconds: float | None = None,
    end_seconds: float | None = None,
) -> ExtractAnswer:
    """Read one snapshot and commit it as the next batch, if it holds anything new or something is asked for.

    Parameters
    ----------
    request
        What is asked for. A run that was invoked to continue a batch that is whole meanwhile does nothing; one that was
        retried goes on from the newest manifest, and the slower one of two loses the race. What is asked for and is lost
        with the race is tried again.
    seconds, end_seconds
        After how long reading stops where it can, by default the setting; and after how long it must end, by default then.

    Raises
    ------
    AnotherExtractionError
        When another extraction was at work all the time, and something is asked for that it does not bring.
    """
    budget = settings.time_budget_seconds if seconds is None else seconds
    clock = Clock(time.monotonic(), budget, budget if end_seconds is None else end_seconds)
    for attempt in range(1, ATTEMPTS + 1):
        is_last = attempt == ATTEMPTS or (attempt > 1 and clock.is_time_up)
        try:
            return _extract_alone(settings, request, clock)
        except AnotherExtractionError as error:
            if request.is_particular:
                raise
            logger.warning("another extraction is at work", detail=str(error))
            return replace(
                _no_batch("another extraction is at work; it, or the next one, reads what changed"), waits=True
            )
        except SourceMovedError as error:
            if is_last:
                raise
            logger.warning(f"reading again: {error}")
        except DuplicateNumberError as error:
            if is_last or not request.is_particular:
                return _no_batch(f"lost the race: {error}; what changed arrives with the next batch")
            logger.warning(f"trying again: {error}")
        except SecretUnsetError as error:
            return replace(_no_batch(f"waiting for the secret: {error}"), waits=True)
        except _GaveWayError:
            reason = "gave way to a command that waits for a table that was being read; the next run reads again"
            return replace(_no_batch(reason), gave_way=True)
    raise AssertionError("unreachable")


def _extract_alone(settings: ExtractSettings, request: Request, clock: Clock) -> ExtractAnswer:
    """Extract once no other extraction is at work: each look is a transaction, and a snapshot, of its own.

    What only this run brings is worth its whole time; what changed is read by the other one, or the next, so that is worth a
    moment, in which a transaction ends whose client is gone.
    """
    patience = max(PATIENCE_SECONDS, clock.budget_seconds) if request.is_particular else PATIENCE_SECONDS
    while True:
        try:
            return _extract_once(settings, request, clock)
        except AnotherExtractionError:
            if clock.seconds + LOOK_SECONDS > min(patience, clock.end_seconds):
                raise
        time.sleep(LOOK_SECONDS)


def _extract_once(settings: ExtractSettings, request: Request, clock: Clock) -> ExtractAnswer:
    client = clients.client("s3")
    bucket, processed = Bucket(client, settings.ingestion_bucket), Bucket(client, settings.processed_bucket)
    previous, damaged = _newest(bucket, request)
    if request.continues is not None and not (previous and previous.unfinished):
        return _no_batch(f"the batch that manifest {request.continues} left unfinished is whole")
    published = damaged or _newer_publication(processed, previous)
    with closing(_connect(settings)) as connection:
        with open_snapshot(
            connection,
            schema=settings.source_schema,
            lease=lease_key(settings.ingestion_bucket),
            statement_timeout_seconds=settings.statement_timeout_seconds,
            lock_timeout_seconds=settings.lock_timeout_seconds,
        ) as snapshot:
            _check_is_next(bucket, max(previous.batch if previous else 0, published) + 1)
            extracted_at = datetime.now(UTC).isoformat(timespec="microseconds")
            planned = plan(snapshot, previous, request, clock.budget_seconds, published=published)
            if planned.horizon_age_seconds:
                logger.info(
                    "an open transaction keeps the horizon back", horizon_age_seconds=planned.horizon_age_seconds
                )
            done = _read(snapshot, planned, bucket, settings, clock)
            if planned.may_skip_commit and done.is_empty:
                return _no_batch("nothing changed")
            before = None if planned.reason or planned.continues else previous
            counts = {name: found.count for name, found in planned.statistics.items()}
            witnesses = witness.take(snapshot, planned.position, before, done.keys, counts)
        _check_shapes(connection, settings.source_schema, planned)
    for warning in news(planned, previous):
        logger.warning(warning)
    lake = _lake(processed, previous, published)
    manifest = build_manifest(planned, done, lake=lake, extracted_at=extracted_at, witnesses=witnesses)
    if adds_nothing(manifest, previous):
        return _no_batch("nothing changed: the rows read again were in the previous batch")
    bucket.put_once(manifest_key(manifest.batch), manifest.to_json())
    note_newest(bucket, MANIFEST_PREFIX, manifest.batch, logger.warning)
    return ExtractAnswer(
        batch=manifest.batch,
        is_whole=manifest.unfinished is None,
        reason=manifest.reason or "; ".join(f"{name} is read whole: {why}" for name, why in planned.reasons.items()),
        rows={name: extract.rows for name, extract in manifest.tables.items() if extract.rows},
    )


def _connect(settings: ExtractSettings, *, is_tried_again: bool = True) -> psycopg.Connection[Any]:
    return open_database(
        settings.source_secret,
        is_tried_again=is_tried_again,
        what="source",
        tls=settings.source_tls,
        application_name="totesys-extract",
    )


def _newest(bucket: Bucket, request: Request) -> tuple[Manifest | None, int]:
    """Read the newest manifest; of a damaged one return the number, when everything is asked for and so nothing of it is needed.

    Raises
    ------
    DamagedDocumentError
        When it is damaged and something of it is needed, or it is of a newer release.
    """
    try:
        return newest_manifest(bucket), 0
    except NewerDocumentError:
        raise
    except DamagedDocumentError as error:
        if not request.everything:
            raise
        logger.warning(f"reading everything past a damaged manifest: {error}")
        return None, newest_manifest_number(bucket)


def _check_is_next(bucket: Bucket, number: int) -> None:
    """Check, with the lease, that no extraction has committed since the newest manifest was read.

    The snapshot is then newer than that manifest's, whatever happened in between. An extraction whose transaction has ended may
    commit yet: the conditional put decides.

    Raises
    ------
    DuplicateNumberError
        When one has; nothing was read.
    """
    if bucket.size(manifest_key(number)) is not None:
        raise DuplicateNumberError(f"{manifest_key(number)} was committed by another run since this one began")


def _newer_publication(processed: Bucket, previous: Manifest | None) -> int:
    """Return the number of the lake's newest publication if it is newer than the newest manifest, else 0."""
    newest = previous.batch if previous else 0
    return newest_publication_number(processed) if processed.keys_after(PUBLICATION_PREFIX, newest, limit=1) else 0


def _lake(processed: Bucket, previous: Manifest | None, published: int) -> str:
    """Return the lake's name: that of the batch before, or of its newest publication, or a new one."""
    newest = newest_publication_number(processed) if published else 0
    known = read_publication(processed, newest).lake if newest else previous.lake if previous else ""
    return known or uuid.uuid4().hex


def _read(snapshot: Snapshot, planned: Plan, bucket: Bucket, settings: ExtractSettings, clock: Clock) -> Outcome:
    """Read what is planned; give way to who waits: a reading that can stop anywhere stops, another one is given up.

    Raises
    ------
    _GaveWayError
        When nothing of the reading can be kept.
    """

    def connect() -> psycopg.Connection[Any]:
        return _connect(settings, is_tried_again=False)  # the next look does, with the secret of then

    with closing(Guest(connect, planned.position.backend_pid, settings.give_way_seconds)) as guest:

        def is_time_up() -> bool:
            if not guest.must_give_way():
                return clock.is_time_up
            if not planned.in_order:
                raise _GaveWayError
            logger.warning("gives way to a command that waits for a table; what was read is kept")
            return True

        def is_over() -> bool:
            if guest.must_give_way():
                raise _GaveWayError
            return clock.is_over

        return read(snapshot, planned, _writer(bucket, planned, settings), is_time_up=is_time_up, is_over=is_over)


def _check_shapes(connection: psycopg.Connection[Any], schema: str, planned: Plan) -> None:
    """Check, when all is read, that the tables still are what the snapshot saw.

    Labels of enums can be renamed, and tables attached, without any lock that reading would keep out.

    Raises
    ------
    SourceMovedError
        Naming the tables.
    """
    with explained("the system catalog"), connection.transaction():
        now = read_catalog(connection, schema)
    moved = [name for name in SOURCE_TABLES if name not in now or now[name].shape != planned.shapes[name]]
    if moved:
        raise SourceMovedError(
            f"The columns, labels or children of {', '.join(moved)} changed while they were read. Nothing was committed; the "
            f"next run reads again."
        )


def _writer(bucket: Bucket, planned: Plan, settings: ExtractSettings) -> Write:
    attempt = uuid.uuid4().hex[:12]
    suffix = "csv.gz" if settings.compress_parts else "csv"

    def write(table: str, chunks: Iterator[Chunk], layout: Callable[..., str], first_part: int) -> tuple[Part, ...]:
        parts = write_parts(
            bucket.client,
            bucket.name,
            chunks,
            lambda part: layout(
                table, planned.position.snapshot_time, planned.batch, attempt, first_part + part - 1, suffix
            ),
            settings.part_bytes,
            compress=settings.compress_parts,
        )
        if parts:
            logger.info("table read", table=table, parts=len(parts), rows=sum(p.rows for p in parts))
        return parts

    return write


def _no_batch(reason: str) -> ExtractAnswer:
    return ExtractAnswer(batch=None, is_whole=True, reason=reason, rows={})
