"""Continuing an unfinished batch at once, by another invocation of the function."""

import json

from botocore.exceptions import BotoCoreError, ClientError

from contracts.protocol.steps import ExtractEvent
from contracts.protocol.strict_json import plain
from lambdas import clients
from lambdas.observability import logger

#: Lambda stops a function that has invoked itself about 16 times in a row; after so many the next scheduled run goes on.
LINKS = 10


def invoke_again(function: str, number: int, link: int) -> None:
    """Have the batch of manifest `number` continued.

    The next scheduled run would do it, too: a lost invocation costs minutes only. So after `LINKS` invocations in a row none
    follows, and the scheduled run begins a new chain.

    Parameters
    ----------
    link
        How many there have been.
    """
    if link >= LINKS:
        logger.info("the next scheduled run continues the batch", batch=number, links=link)
        return
    try:
        clients.client("lambda").invoke(
            FunctionName=function,
            InvocationType="Event",
            Payload=json.dumps(plain(ExtractEvent(continues=number, link=link + 1))).encode(),
        )
    except (ClientError, BotoCoreError) as error:
        logger.warning("the next scheduled run continues the batch", batch=number, error=type(error).__name__)
