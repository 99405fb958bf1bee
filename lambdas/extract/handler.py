"""Entry point of the extract function: parse, log, return."""

import time
import uuid
from contextlib import closing
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.batch import Manifest, Part, manifest_key, part_key
from contracts.errors import ContractError, DuplicateNumberError
from contracts.metrics import BATCHES_COMMITTED, HORIZON_HELD_BACK, ROWS_EXTRACTED, SOURCE_CHECKED
from contracts.source import SOURCE_TABLES
from contracts.store import Bucket, newest_manifest
from lambdas.errors import PlatformError
from lambdas.extract.extraction import Plan, adds_nothing, build_manifest, news, plan
from lambdas.extract.parts import write_parts
from lambdas.extract.settings import ExtractSettings
from lambdas.extract.source import Snapshot, open_snapshot
from lambdas.observability import MetricUnit, logger, metrics
from lambdas.postgres import connect
from lambdas.secret import read_connection_details


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Extract once.

    Returns
    -------
    dict
        ``batch`` (its number, or None), ``reason`` (why everything was read, or why there is no
        batch), ``rows`` by table and ``seconds``.

    Raises
    ------
    PlatformError, ContractError
        When nothing could be read or written; no batch was committed.
    """
    started = time.monotonic()
    try:
        outcome = extract(ExtractSettings())
    except (PlatformError, ContractError) as error:
        logger.error("extraction failed", error=type(error).__name__, detail=str(error))
        raise
    metrics.add_metric(SOURCE_CHECKED, MetricUnit.Count, 1)
    if outcome["batch"] is not None:
        metrics.add_metric(BATCHES_COMMITTED, MetricUnit.Count, 1)
        metrics.add_metric(ROWS_EXTRACTED, MetricUnit.Count, sum(outcome["rows"].values()))
    outcome["seconds"] = round(time.monotonic() - started, 3)
    logger.info("extraction ended", **outcome)
    return outcome


def extract(settings: ExtractSettings) -> dict[str, Any]:
    """Read one snapshot and commit it as the next batch, if it holds anything new."""
    bucket = Bucket(boto3.client("s3"), settings.ingestion_bucket)
    previous = newest_manifest(bucket)
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
        todo = plan(snapshot, previous)
        metrics.add_metric(HORIZON_HELD_BACK, MetricUnit.Seconds, todo.held_back_seconds)
        if todo.is_empty:
            return _no_batch("nothing changed")
        parts = _read(snapshot, todo, bucket, settings)
    for warning in news(todo, previous):
        logger.warning(warning)
    manifest = build_manifest(todo, parts)
    if adds_nothing(manifest, previous):
        return _no_batch("nothing changed: the rows read again were in the previous batch")
    return _commit(bucket, manifest)


def _read(snapshot: Snapshot, todo: Plan, bucket: Bucket, settings: ExtractSettings) -> dict[str, tuple[Part, ...]]:
    attempt = uuid.uuid4().hex[:12]
    suffix = "csv.gz" if settings.compress_parts else "csv"
    parts = {}
    for name, read in todo.reads.items():
        if read == "nothing":
            continue
        since = todo.since if read == "changed" else None
        with snapshot.copy(SOURCE_TABLES[name], todo.columns[name], since) as messages:
            parts[name] = write_parts(
                bucket.client,
                bucket.name,
                messages,
                lambda part, name=name: part_key(name, todo.snapshot_time, todo.batch, attempt, part, suffix),  # type: ignore[misc]
                settings.part_bytes,
                compress=settings.compress_parts,
            )
        logger.info("table read", table=name, read=read, rows=sum(p.rows for p in parts[name]))
    return parts


def _commit(bucket: Bucket, manifest: Manifest) -> dict[str, Any]:
    try:
        bucket.put_once(manifest_key(manifest.batch), manifest.to_json())
    except DuplicateNumberError as error:
        return _no_batch(f"lost the race: {error}; what changed arrives with the next batch")
    return {
        "batch": manifest.batch,
        "reason": manifest.reason,
        "rows": {name: extract.rows for name, extract in manifest.tables.items() if extract.rows},
    }


def _no_batch(reason: str) -> dict[str, Any]:
    return {"batch": None, "reason": reason, "rows": {}}
