"""Entry point of the load function: parse, log, return."""

import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.errors import ContractError
from contracts.layout import MANIFEST_PREFIX
from contracts.metrics import FRESHNESS, PUBLICATIONS_LOADED, ROWS_QUARANTINED, TIME_TO_WAREHOUSE
from contracts.star import STAR_TABLES
from contracts.store import (
    Bucket,
    newest_batch_number,
    newest_publication_number,
    publications_after,
    read_manifest,
    read_publication,
)
from lambdas.errors import PlatformError
from lambdas.load.lake import csv_rows, open_filesystem
from lambdas.load.loading import check_follows, load_publication
from lambdas.load.settings import LoadSettings
from lambdas.load.warehouse import Warehouse
from lambdas.observability import MetricUnit, logger, metrics
from lambdas.postgres import connect
from lambdas.secret import read_connection_details

#: Seconds that must remain for another publication to be begun.
RESERVE_SECONDS = 60


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Load every pending publication, or with ``{"step": "survey"}`` only tell what is pending.

    Returns
    -------
    dict
        After a load: ``loaded`` (batch numbers), ``last`` (newest batch in the warehouse),
        ``freshness`` (seconds), ``quarantined`` (rows held back), ``keys_wanted`` (source tables whose key lists tell what
        was deleted), ``wanted`` (how many) and ``seconds``. After a survey: ``batches`` and ``published`` (number of
        the newest whole batch, and of the newest publication) and ``untransformed``, their difference.

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
        outcome = load(settings, lambda: context.get_remaining_time_in_millis() / 1000)
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


def load(settings: LoadSettings, remaining_seconds: Any) -> dict[str, Any]:
    """Load pending publications in order, as long as time remains."""
    client = boto3.client("s3")
    processed = Bucket(client, settings.processed_bucket)
    details = read_connection_details(boto3.client("secretsmanager"), settings.warehouse_secret)
    filesystem = open_filesystem()
    loaded: list[int] = []
    with closing(
        connect(
            details,
            what="warehouse",
            secret_id=settings.warehouse_secret,
            tls=settings.warehouse_tls,
            application_name="totesys-load",
        )
    ) as connection:
        connection.autocommit = True
        warehouse = Warehouse(connection, schema=settings.warehouse_schema, ledger=settings.ledger_schema)
        warehouse.prepare()
        last = warehouse.last_batch()
        for publication in publications_after(processed, last):
            if remaining_seconds() <= RESERVE_SECONDS:
                break
            check_follows(publication, last)
            if load_publication(
                warehouse,
                publication,
                lambda table, published=publication: csv_rows(  # type: ignore[misc]
                    filesystem, processed.name, table, published.batch, published.tables[table.name]
                ),
            ):
                loaded.append(publication.batch)
                _report(publication.snapshot_time)
            last = publication.batch
    freshness = _freshness(Bucket(client, settings.ingestion_bucket), last)
    metrics.add_metric(FRESHNESS, MetricUnit.Seconds, freshness)
    held, wanted = _told_by_the_lake(Bucket(client, settings.ingestion_bucket), processed)
    metrics.add_metric(ROWS_QUARANTINED, MetricUnit.Count, held)
    return {
        "loaded": loaded,
        "last": last,
        "freshness": freshness,
        "quarantined": held,
        "keys_wanted": wanted,
        "wanted": len(wanted),
    }


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


def _report(snapshot_time: str) -> None:
    metrics.add_metric(PUBLICATIONS_LOADED, MetricUnit.Count, 1)
    metrics.add_metric(TIME_TO_WAREHOUSE, MetricUnit.Seconds, _age(snapshot_time))


def _freshness(ingestion: Bucket, last: int) -> float:
    """Age of the oldest batch that the warehouse does not show, or 0 when it shows them all."""
    if not ingestion.keys_after(MANIFEST_PREFIX, last, limit=1):
        return 0.0
    return _age(read_manifest(ingestion, last + 1).snapshot_time)


def _age(snapshot_time: str) -> float:
    return round((datetime.now(UTC) - datetime.fromisoformat(snapshot_time)).total_seconds(), 3)
