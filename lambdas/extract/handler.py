"""Entry point of the extract function: parse, log, return."""

import json
import time
from dataclasses import replace
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import ContractError
from contracts.metrics import BATCHES_COMMITTED, OLDEST_UNLOADED_BATCH_AGE, ROWS_EXTRACTED, SOURCE_CHECKED
from contracts.protocol.bucket import Bucket
from contracts.protocol.progress import newest_load_number, oldest_waiting_batch
from contracts.protocol.steps import ExtractEvent
from contracts.protocol.strict_json import plain
from lambdas.errors import PlatformError
from lambdas.extract.event import parse_event
from lambdas.extract.run import extract
from lambdas.extract.settings import ExtractSettings
from lambdas.observability import MetricUnit, age, logger, metrics

#: Seconds that must remain of an invocation, whatever the time budget, to commit what was read.
RESERVE_SECONDS = 60


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Extract once: what has changed, and what the event (`contracts.protocol.steps.ExtractEvent`) asks for.

    ``{"read": "everything"}`` is the way out when a batch cannot be transformed. When the time does not suffice, the invocation
    commits what it has read and invokes the function again. Any other event continues an unfinished batch as well.

    Returns
    -------
    dict
        A `contracts.protocol.steps.ExtractAnswer`.

    Raises
    ------
    PlatformError, ContractError
        When nothing could be read or written; no batch was committed.
    """
    started = time.monotonic()
    try:
        settings = ExtractSettings()
        _report_oldest_unloaded_batch(settings)
        remaining = context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
        seconds = min(settings.time_budget_seconds, remaining)
        answer = extract(settings, parse_event(event), seconds=seconds, end_seconds=remaining)
    except (PlatformError, ContractError) as error:
        logger.error("extraction failed", error=type(error).__name__, detail=str(error))
        raise
    if not answer.gave_way:
        metrics.add_metric(SOURCE_CHECKED, MetricUnit.Count, 1)
    if answer.batch is not None:
        metrics.add_metric(BATCHES_COMMITTED, MetricUnit.Count, int(answer.is_whole))
        metrics.add_metric(ROWS_EXTRACTED, MetricUnit.Count, sum(answer.rows.values()))
    told = plain(replace(answer, seconds=round(time.monotonic() - started, 3)))
    logger.info("extraction ended", **told)
    if answer.batch is not None and not answer.is_whole:
        _invoke_again(context.invoked_function_arn, answer.batch)
    return told


def _report_oldest_unloaded_batch(settings: ExtractSettings) -> None:
    """Tell how long the oldest batch has waited for a load's confirmation: no load need be alive to be missed."""
    client = boto3.client("s3")
    confirmed = newest_load_number(Bucket(client, settings.processed_bucket))
    waiting = oldest_waiting_batch(Bucket(client, settings.ingestion_bucket), confirmed)
    metrics.add_metric(OLDEST_UNLOADED_BATCH_AGE, MetricUnit.Seconds, max(0.0, age(waiting.taken_at)) if waiting else 0)


def _invoke_again(function: str, number: int) -> None:
    """Have the batch continued at once. The next scheduled run would do it, too: a lost invocation costs minutes only."""
    try:
        boto3.client("lambda").invoke(
            FunctionName=function,
            InvocationType="Event",
            Payload=json.dumps(plain(ExtractEvent(continues=number))).encode(),
        )
    except (ClientError, BotoCoreError) as error:
        logger.warning("the next scheduled run continues the batch", batch=number, error=type(error).__name__)
