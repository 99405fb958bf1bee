"""Entry point of the load function: parse, log, return."""

import time
from dataclasses import replace
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.errors import ContractError
from contracts.protocol.steps import LoadEvent, PendingAnswer
from contracts.protocol.strict_json import plain
from lambdas.errors import PlatformError
from lambdas.events import parse
from lambdas.load.run import answer
from lambdas.load.settings import LoadSettings
from lambdas.observability import logger, metrics


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do what the event (`contracts.protocol.steps.LoadEvent`) asks for: load every pending publication, or another step.

    Returns
    -------
    dict
        A `LoadAnswer`, `PendingAnswer`, `RebuildAnswer` or `DropAnswer` of `contracts.protocol.steps`.

    Raises
    ------
    PlatformError, ContractError
        With every publication before the failing one loaded, and nothing of the failing one.
    """
    started = time.monotonic()
    try:
        asked = parse(LoadEvent, event)
        found = answer(LoadSettings(), asked, lambda: context.get_remaining_time_in_millis() / 1000)
    except (PlatformError, ContractError) as error:
        logger.error("load failed", error=type(error).__name__, detail=str(error))
        raise
    seconds = round(time.monotonic() - started, 3)
    told = plain(found if isinstance(found, PendingAnswer) else replace(found, seconds=seconds))
    logger.info(f"{asked.step} ended", **told)
    return told
