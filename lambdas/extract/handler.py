"""Entry point of the extract function: parse, log, return."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from contracts.batch import Manifest, Part
from contracts.errors import ContractError, DuplicateNumberError
from contracts.layout import manifest_key
from contracts.metrics import BATCHES_COMMITTED, HORIZON_HELD_BACK, ROWS_EXTRACTED, SOURCE_CHECKED, UNCONFIRMED
from contracts.store import Bucket, newest_load_number, newest_manifest, oldest_waiting_batch
from lambdas.errors import PlatformError
from lambdas.extract.event import continued_number, requested_key_lists
from lambdas.extract.extraction import Plan, adds_nothing, build_manifest, news, plan
from lambdas.extract.parts import write_parts
from lambdas.extract.reading import Write, read
from lambdas.extract.settings import ExtractSettings
from lambdas.extract.source import Chunk, open_snapshot
from lambdas.observability import MetricUnit, age, logger, metrics
from lambdas.postgres import connect
from lambdas.secret import read_connection_details

#: Seconds that must remain of an invocation, whatever the time budget, to commit what was read.
RESERVE_SECONDS = 60


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Extract once; with ``{"keys": "all"}`` or ``{"keys": [tables]}`` the batch carries key lists too.

    When the time does not suffice, the invocation commits what it has read and invokes the function again, with
    ``{"continues": <number>}``. Any other event continues an unfinished batch as well.

    Returns
    -------
    dict
        ``batch`` (its number, or None), ``is_whole`` (whether nothing is left of it), ``reason`` (why everything was read,
        or why there is no batch), ``rows`` by table and ``seconds``.

    Raises
    ------
    PlatformError, ContractError
        When nothing could be read or written; no batch was committed.
    """
    started = time.monotonic()
    try:
        settings = ExtractSettings()
        _tell_unconfirmed(settings)
        remaining = context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
        outcome = extract(
            settings,
            requested_key_lists(event),
            continues=continued_number(event),
            seconds=min(settings.time_budget_seconds, remaining),
            end_seconds=remaining,
        )
    except (PlatformError, ContractError) as error:
        logger.error("extraction failed", error=type(error).__name__, detail=str(error))
        raise
    metrics.add_metric(SOURCE_CHECKED, MetricUnit.Count, 1)
    if outcome["batch"] is not None:
        metrics.add_metric(BATCHES_COMMITTED, MetricUnit.Count, int(outcome["is_whole"]))
        metrics.add_metric(ROWS_EXTRACTED, MetricUnit.Count, sum(outcome["rows"].values()))
    outcome["seconds"] = round(time.monotonic() - started, 3)
    logger.info("extraction ended", **outcome)
    if not outcome["is_whole"]:
        _invoke_again(context.invoked_function_arn, outcome["batch"])
    return outcome


def _tell_unconfirmed(settings: ExtractSettings) -> None:
    """Tell how long the oldest batch has waited for a load's confirmation: no load need be alive to be missed."""
    client = boto3.client("s3")
    confirmed = newest_load_number(Bucket(client, settings.processed_bucket))
    waiting = oldest_waiting_batch(Bucket(client, settings.ingestion_bucket), confirmed)
    metrics.add_metric(UNCONFIRMED, MetricUnit.Seconds, age(waiting.snapshot_time) if waiting else 0)


def extract(
    settings: ExtractSettings,
    key_lists: frozenset[str] = frozenset(),
    *,
    continues: int | None = None,
    seconds: float | None = None,
    end_seconds: float | None = None,
) -> dict[str, Any]:
    """Read one snapshot and commit it as the next batch, if it holds anything new or key lists are wanted.

    Parameters
    ----------
    continues
        Number of the manifest that this run was invoked to continue. Nothing is done when the batch is whole
        meanwhile; a run that was retried goes on from the newest manifest, and the slower one of two loses the race.
    seconds, end_seconds
        After how long reading stops where it can, by default the setting; and after how long it must end, by default then.
    """
    started = time.monotonic()
    budget = settings.time_budget_seconds if seconds is None else seconds
    bucket = Bucket(boto3.client("s3"), settings.ingestion_bucket)
    previous = newest_manifest(bucket)
    if continues is not None and not (previous and previous.unfinished):
        return _no_batch(f"the batch that manifest {continues} left unfinished is whole")
    details = read_connection_details(boto3.client("secretsmanager"), settings.source_secret)
    with (
        closing(
            connect(
                details,
                what="source",
                secret_id=settings.source_secret,
                tls=settings.source_tls,
                application_name="totesys-extract",
            )
        ) as connection,
        open_snapshot(
            connection,
            schema=settings.source_schema,
            statement_timeout_seconds=settings.statement_timeout_seconds,
            lock_timeout_seconds=settings.lock_timeout_seconds,
        ) as snapshot,
    ):
        todo = plan(snapshot, previous, key_lists, budget)
        metrics.add_metric(HORIZON_HELD_BACK, MetricUnit.Seconds, todo.held_back_seconds)
        done = read(
            snapshot,
            todo,
            _writer(bucket, todo, settings),
            is_time_up=lambda: time.monotonic() - started > budget,
            is_over=lambda: time.monotonic() - started > (budget if end_seconds is None else end_seconds),
        )
    if todo.is_optional and done.is_empty:
        return _no_batch("nothing changed")
    for warning in news(todo, previous):
        logger.warning(warning)
    manifest = build_manifest(todo, done)
    if adds_nothing(manifest, previous):
        return _no_batch("nothing changed: the rows read again were in the previous batch")
    return _commit(bucket, manifest)


def _writer(bucket: Bucket, todo: Plan, settings: ExtractSettings) -> Write:
    attempt = uuid.uuid4().hex[:12]
    suffix = "csv.gz" if settings.compress_parts else "csv"

    def write(table: str, chunks: Iterator[Chunk], layout: Callable[..., str], first_part: int) -> tuple[Part, ...]:
        parts = write_parts(
            bucket.client,
            bucket.name,
            chunks,
            lambda part: layout(table, todo.snapshot_time, todo.batch, attempt, first_part + part - 1, suffix),
            settings.part_bytes,
            compress=settings.compress_parts,
        )
        if parts:
            logger.info("table read", table=table, parts=len(parts), rows=sum(p.rows for p in parts))
        return parts

    return write


def _commit(bucket: Bucket, manifest: Manifest) -> dict[str, Any]:
    try:
        bucket.put_once(manifest_key(manifest.batch), manifest.to_json())
    except DuplicateNumberError as error:
        return _no_batch(f"lost the race: {error}; what changed arrives with the next batch")
    return {
        "batch": manifest.batch,
        "is_whole": manifest.unfinished is None,
        "reason": manifest.reason,
        "rows": {name: extract.rows for name, extract in manifest.tables.items() if extract.rows},
    }


def _no_batch(reason: str) -> dict[str, Any]:
    return {"batch": None, "is_whole": True, "reason": reason, "rows": {}}


def _invoke_again(function: str, number: int) -> None:
    """Have the batch continued at once. The next scheduled run would do it, too: a lost invocation costs minutes only."""
    try:
        boto3.client("lambda").invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps({"continues": number}).encode()
        )
    except (ClientError, BotoCoreError) as error:
        logger.warning("the next scheduled run continues the batch", batch=number, error=type(error).__name__)
