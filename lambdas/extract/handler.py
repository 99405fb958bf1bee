"""Entry point of the extract function: parse, log, return."""

import time
from dataclasses import replace
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.errors import ContractError
from contracts.metrics import OLDEST_UNLOADED_BATCH_AGE, SOURCE_CHECKED
from contracts.protocol.strict_json import plain
from lambdas.errors import PlatformError
from lambdas.extract.continuation import invoke_again
from lambdas.extract.event import parse_event
from lambdas.extract.oldest_unloaded import oldest_unloaded_batch_age
from lambdas.extract.run import extract
from lambdas.extract.settings import ExtractSettings
from lambdas.observability import MetricUnit, logger, metrics

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
        metrics.add_metric(OLDEST_UNLOADED_BATCH_AGE, MetricUnit.Seconds, oldest_unloaded_batch_age(settings))
        remaining = context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
        seconds = min(settings.time_budget_seconds, remaining)
        request = parse_event(event)
        answer = extract(settings, request, seconds=seconds, end_seconds=remaining)
    except (PlatformError, ContractError) as error:
        logger.error("extraction failed", error=type(error).__name__, detail=str(error))
        raise
    if not answer.gave_way and not answer.waits:
        metrics.add_metric(SOURCE_CHECKED, MetricUnit.Count, 1)
    told = plain(replace(answer, seconds=round(time.monotonic() - started, 3)))
    logger.info("extraction ended", **told)
    if answer.batch is not None and not answer.is_whole:
        invoke_again(context.invoked_function_arn, answer.batch, request.link)
    return told
