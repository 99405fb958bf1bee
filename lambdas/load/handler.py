"""Entry point of the load function: parse, log, return."""

import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.errors import ContractError
from lambdas.errors import PlatformError
from lambdas.load.pending_check import survey
from lambdas.load.run import buckets, work
from lambdas.load.settings import LoadSettings
from lambdas.observability import logger, metrics


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Load every pending publication; with ``{"step": "survey"}`` only tell what is pending, with ``rebuild`` rebuild.

    ``{"step": "rebuild", "take_over": true}`` makes the warehouse this lake's, whatever it was.

    Returns
    -------
    dict
        After a load: ``loaded`` (batch numbers), ``last`` (newest batch in the warehouse), ``waits`` (whether another load
        was at work until the time was over), ``freshness`` (seconds), ``quarantined`` (rows held back), ``keys_wanted``
        (source tables whose key lists tell what was deleted), ``wanted`` (how many) and ``seconds``. After a survey:
        ``batches`` and ``published`` (number of the newest whole batch, and of the newest publication), ``untransformed``,
        their difference, and ``full_pending`` (whether a full batch waits behind the first pending one). After a
        rebuild: ``done`` (whether another invocation is not needed), and ``last`` or ``waits``.

    Raises
    ------
    PlatformError, ContractError
        With every publication before the failing one loaded, and nothing of the failing one.
    """
    started = time.monotonic()
    settings = LoadSettings()
    try:
        if event.get("step") == "survey":
            return survey(*buckets(settings))
        outcome = work(settings, event, lambda: context.get_remaining_time_in_millis() / 1000)
    except (PlatformError, ContractError) as error:
        logger.error("load failed", error=type(error).__name__, detail=str(error))
        raise
    outcome["seconds"] = round(time.monotonic() - started, 3)
    logger.info("load ended", **outcome)
    return outcome
