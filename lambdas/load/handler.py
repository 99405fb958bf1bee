"""Entry point of the load function: parse, log, return."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext
from tenacity import Retrying, retry_if_exception_type, wait_exponential_jitter

from contracts.errors import ContractError
from contracts.layout import load_key
from contracts.metrics import (
    FRESHNESS,
    PUBLICATIONS_LOADED,
    ROWS_QUARANTINED,
    TABLE_TIME_TO_WAREHOUSE,
    TIME_TO_WAREHOUSE,
)
from contracts.publication import Publication
from contracts.star import STAR_TABLES
from contracts.store import (
    Bucket,
    newest_batch_number,
    newest_listing,
    newest_load_number,
    newest_publication_number,
    oldest_waiting_batch,
    publications_after,
    read_publication,
)
from lambdas.errors import DatabaseUnreachableError, ListingMissingError, PlatformError, WarehouseBusyError
from lambdas.load.lake import LakeFiles
from lambdas.load.loading import check_follows, load_publication
from lambdas.load.rebuild import Rebuild
from lambdas.load.settings import LoadSettings
from lambdas.load.warehouse import Warehouse
from lambdas.observability import MetricUnit, age, logger, metrics, table_metric
from lambdas.postgres import connect
from lambdas.secret import read_connection_details

#: How often a connection that was lost, or a lock that others held, is tried.
ATTEMPTS = 10
#: Share of an invocation's time that must remain for a rebuild's last step, which is one transaction.
EXCHANGE_SHARE = 0.8
#: Seconds that must remain for another publication to be begun.
RESERVE_SECONDS = 60


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Load every pending publication; with ``{"step": "survey"}`` only tell what is pending, with ``rebuild`` rebuild.

    Returns
    -------
    dict
        After a load: ``loaded`` (batch numbers), ``last`` (newest batch in the warehouse),
        ``freshness`` (seconds), ``quarantined`` (rows held back), ``keys_wanted`` (source tables whose key lists tell what
        was deleted), ``wanted`` (how many) and ``seconds``. After a survey: ``batches`` and ``published`` (number of
        the newest whole batch, and of the newest publication) and ``untransformed``, their difference. After a
        rebuild: ``done`` (whether another invocation is not needed) and ``last``.

    Raises
    ------
    PlatformError, ContractError
        With every publication before the failing one loaded, and nothing of the failing one.
    """
    started = time.monotonic()
    settings = LoadSettings()
    try:
        if event.get("step") == "survey":
            return survey(settings)
        step = rebuild if event.get("step") == "rebuild" else load
        outcome = step(settings, lambda: context.get_remaining_time_in_millis() / 1000)
    except (PlatformError, ContractError) as error:
        logger.error("load failed", error=type(error).__name__, detail=str(error))
        raise
    outcome["seconds"] = round(time.monotonic() - started, 3)
    logger.info("load ended", **outcome)
    return outcome


def survey(settings: LoadSettings) -> dict[str, Any]:
    """Tell how far the lake is behind the whole batches. Looks at S3 only: the lake never waits for the warehouse."""
    client = boto3.client("s3")
    batches = newest_batch_number(Bucket(client, settings.ingestion_bucket))
    published = newest_publication_number(Bucket(client, settings.processed_bucket))
    return {"batches": batches, "published": published, "untransformed": batches - published}


def load(settings: LoadSettings, remaining_seconds: Callable[[], float]) -> dict[str, Any]:
    """Load pending publications in order, as long as time remains; what passes by itself is tried again."""
    client = boto3.client("s3")
    ingestion, processed = Bucket(client, settings.ingestion_bucket), Bucket(client, settings.processed_bucket)
    lake = LakeFiles.open(processed.name)
    loaded: list[int] = []
    last = 0
    try:
        for attempt in _attempts(remaining_seconds):
            with attempt, _warehouse(settings) as warehouse:
                last = warehouse.last_batch()
                for publication in publications_after(processed, last):
                    if remaining_seconds() <= RESERVE_SECONDS:
                        break
                    check_follows(publication, last)
                    if load_publication(warehouse, lake, publication):
                        loaded.append(publication.batch)
                        _report(publication)
                    last = publication.batch
    finally:  # what stands before a publication that cannot be loaded is in the warehouse
        _confirm(processed, last)
    waiting = oldest_waiting_batch(ingestion, last)
    freshness = age(waiting.snapshot_time) if waiting else 0.0
    metrics.add_metric(FRESHNESS, MetricUnit.Seconds, freshness)
    held, wanted = _told_by_the_lake(ingestion, processed)
    metrics.add_metric(ROWS_QUARANTINED, MetricUnit.Count, held)
    return {
        "loaded": loaded,
        "last": last,
        "freshness": freshness,
        "quarantined": held,
        "keys_wanted": wanted,
        "wanted": len(wanted),
    }


def rebuild(settings: LoadSettings, remaining_seconds: Callable[[], float]) -> dict[str, Any]:
    """Rebuild the warehouse from the newest listing of the lake's files, as far as the time goes.

    Raises
    ------
    ListingMissingError
        When the job has listed nothing.
    """
    client = boto3.client("s3")
    processed = Bucket(client, settings.processed_bucket)
    listing = newest_listing(processed)
    if listing is None:
        raise ListingMissingError(
            'The lake\'s files are not listed. Start the state machine with {"mode": "rebuild"}: it lists them first.'
        )
    lake = LakeFiles.open(processed.name)
    begun_with = remaining_seconds()
    for attempt in _attempts(remaining_seconds):
        with attempt, _warehouse(settings) as warehouse:
            work = Rebuild(warehouse, lake, listing)
            is_filled = work.fill(
                lambda number: publications_after(processed, number), lambda: remaining_seconds() > RESERVE_SECONDS
            )
            if not is_filled or remaining_seconds() < begun_with * EXCHANGE_SHARE:
                return {"done": False, "last": warehouse.last_batch()}
            newest = read_publication(processed, listing.batch)
            last = work.exchange(newest, publications_after(processed, listing.batch))
    return {"done": True, "last": last}


def _attempts(remaining_seconds: Callable[[], float]) -> Retrying:
    """Return the attempts at something that another session or a lost connection may spoil."""
    return Retrying(
        retry=retry_if_exception_type((WarehouseBusyError, DatabaseUnreachableError)),
        wait=wait_exponential_jitter(initial=0.5, max=20),
        stop=lambda state: state.attempt_number >= ATTEMPTS or remaining_seconds() <= RESERVE_SECONDS,
        before_sleep=lambda state: logger.warning(
            "trying again", attempt=state.attempt_number, detail=str(state.outcome.exception() if state.outcome else "")
        ),
        reraise=True,
    )


@contextmanager
def _warehouse(settings: LoadSettings) -> Iterator[Warehouse]:
    details = read_connection_details(boto3.client("secretsmanager"), settings.warehouse_secret)
    connection = connect(
        details,
        what="warehouse",
        secret_id=settings.warehouse_secret,
        tls=settings.warehouse_tls,
        application_name="totesys-load",
        lock_timeout_seconds=settings.lock_timeout_seconds,
    )
    with closing(connection):
        connection.autocommit = True
        warehouse = Warehouse(connection, settings.places)
        warehouse.prepare()
        yield warehouse


def _confirm(processed: Bucket, last: int) -> None:
    """Note beside the lake that the warehouse shows a batch: the extraction, which knows no warehouse, watches it."""
    if last and newest_load_number(processed) < last:
        note = {"batch": last, "confirmed_at": datetime.now(UTC).isoformat(timespec="microseconds")}
        processed.put(load_key(last), json.dumps(note).encode())


def _told_by_the_lake(ingestion: Bucket, processed: Bucket) -> tuple[int, list[str]]:
    """Return how many rows the newest publication holds back, and the source tables whose key lists it asks for.

    Nothing is asked for while a batch waits: it may bring the lists, and asking again would only add batches to wait.
    """
    newest = newest_publication_number(processed)
    tables = read_publication(processed, newest).tables if newest else {}
    if newest_batch_number(ingestion) > newest:
        return sum(table.quarantined for table in tables.values()), []
    wanted = sorted(STAR_TABLES[name].source for name, table in tables.items() if table.surplus)
    return sum(table.quarantined for table in tables.values()), wanted


def _report(publication: Publication) -> None:
    seconds = age(publication.snapshot_time)
    metrics.add_metric(PUBLICATIONS_LOADED, MetricUnit.Count, 1)
    metrics.add_metric(TIME_TO_WAREHOUSE, MetricUnit.Seconds, seconds)
    for name in STAR_TABLES:
        table = publication.tables[name]
        if table.rows or table.deleted:
            table_metric(TABLE_TIME_TO_WAREHOUSE, name, seconds)
