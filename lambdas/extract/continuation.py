"""Continuing an unfinished batch at once, by another invocation of the function."""

import json

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from contracts.protocol.steps import ExtractEvent
from contracts.protocol.strict_json import plain
from lambdas.observability import logger


def invoke_again(function: str, number: int) -> None:
    """Have the batch of manifest `number` continued.

    The next scheduled run would do it, too: a lost invocation costs minutes only.
    """
    try:
        boto3.client("lambda").invoke(
            FunctionName=function,
            InvocationType="Event",
            Payload=json.dumps(plain(ExtractEvent(continues=number))).encode(),
        )
    except (ClientError, BotoCoreError) as error:
        logger.warning("the next scheduled run continues the batch", batch=number, error=type(error).__name__)
