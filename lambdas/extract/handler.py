"""Entry point of the extract function: parse, log, return."""

import time
import uuid
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.batch import Manifest, Part
from contracts.errors import ContractError, DuplicateNumberError
from contracts.layout import key_part_key, manifest_key, part_key
from contracts.metrics import BATCHES_COMMITTED, HORIZON_HELD_BACK, ROWS_EXTRACTED, SOURCE_CHECKED
from contracts.source import SOURCE_TABLES
from contracts.store import Bucket, newest_manifest
from lambdas.errors import PlatformError
from lambdas.extract.extraction import Plan, adds_nothing, build_manifest, news, plan, requested_key_lists
from lambdas.extract.parts import write_parts
from lambdas.extract.settings import ExtractSettings
from lambdas.extract.source import Chunk, Snapshot, open_snapshot
from lambdas.observability import MetricUnit, logger, metrics
from lambdas.postgres import connect
from lambdas.secret import read_connection_details


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Extract once; with ``{"keys": "all"}`` or ``{"keys": [tables]}`` the batch carries key lists too.

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
        outcome = extract(ExtractSettings(), requested_key_lists(event))
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


def extract(settings: ExtractSettings, key_lists: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Read one snapshot and commit it as the next batch, if it holds anything new or key lists are wanted."""
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
        todo = plan(snapshot, previous, key_lists)
        metrics.add_metric(HORIZON_HELD_BACK, MetricUnit.Seconds, todo.held_back_seconds)
        if todo.is_empty:
            return _no_batch("nothing changed")
        parts, key_parts = _read(snapshot, todo, bucket, settings)
    for warning in news(todo, previous):
        logger.warning(warning)
    manifest = build_manifest(todo, parts, key_parts)
    if adds_nothing(manifest, previous):
        return _no_batch("nothing changed: the rows read again were in the previous batch")
    return _commit(bucket, manifest)


Parts = dict[str, tuple[Part, ...]]


def _read(snapshot: Snapshot, todo: Plan, bucket: Bucket, settings: ExtractSettings) -> tuple[Parts, Parts]:
    """Write the data parts and the key lists that the plan wants, from the same snapshot."""
    attempt = uuid.uuid4().hex[:12]
    suffix = "csv.gz" if settings.compress_parts else "csv"

    def write(table: str, copied: Generator[Chunk], layout: Callable[..., str]) -> tuple[Part, ...]:
        with closing(copied) as chunks:
            return write_parts(
                bucket.client,
                bucket.name,
                chunks,
                lambda part: layout(table, todo.snapshot_time, todo.batch, attempt, part, suffix),
                settings.part_bytes,
                compress=settings.compress_parts,
            )

    parts: Parts = {}
    key_parts: Parts = {}
    for name, read in todo.reads.items():
        table = SOURCE_TABLES[name]
        if read != "nothing":
            since = todo.since if read == "changed" else None
            parts[name] = write(name, snapshot.copy(table, todo.columns[name], since), part_key)
            logger.info("table read", table=name, read=read, rows=sum(p.rows for p in parts[name]))
        if name in todo.key_lists:
            key_parts[name] = write(name, snapshot.copy_keys(table), key_part_key)
    return parts, key_parts


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
