"""Entry point of the notify function: parse, remember, tell."""

import json
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.errors import ContractError
from contracts.protocol.bucket import Bucket
from contracts.protocol.progress import newest_load_number, newest_publication_number
from contracts.protocol.steps import NotifyAnswer
from contracts.protocol.strict_json import plain
from lambdas import clients
from lambdas.errors import PlatformError
from lambdas.notify.happening import AlarmChange, Failure, parse
from lambdas.notify.incident import Subject, Telling
from lambdas.notify.message import Message, compose
from lambdas.notify.notice import Memory
from lambdas.notify.settings import NotifySettings
from lambdas.observability import logger


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Tell people what has happened, if they do not know it.

    Returns
    -------
    dict
        A `contracts.protocol.steps.NotifyAnswer`.

    Raises
    ------
    PlatformError, ContractError
        When the event is none of ours, or what was told before cannot be read.
    botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError
        When the topic does not take the message; what happens next is then told.
    """
    del context
    settings = NotifySettings()
    try:
        happening = parse(event, settings.deployment)
        told = tell(settings, happening) if happening else ()
    except (PlatformError, ContractError) as error:
        logger.error("notify failed", error=type(error).__name__, detail=str(error))
        raise
    answer = plain(NotifyAnswer("; ".join(message.subject for message in told)))
    logger.info("notify ended", **answer)
    return answer


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def tell(settings: NotifySettings, happening: Failure | AlarmChange) -> tuple[Message, ...]:
    """Note what has happened, then send what it makes necessary; return that."""
    processed = Bucket(clients.client("s3"), settings.processed_bucket)
    memory = Memory(processed)
    messages = []
    for telling in memory.note(happening, now):
        message = compose(settings, telling, happening, _batch(processed, telling))
        try:
            _publish(settings.topic_arn, message)
        except Exception:
            memory.forget(telling)
            raise
        messages.append(message)
    return tuple(messages)


def _batch(processed: Bucket, telling: Telling) -> int | None:
    """Return the first batch that the stage has not done, if one waits there."""
    published = newest_publication_number(processed)
    if telling.incident.subject == Subject.TRANSFORM:
        return published + 1
    loaded = newest_load_number(processed)
    is_loading = telling.incident.subject in (Subject.LOAD, Subject.FRESHNESS)
    return loaded + 1 if is_loading and loaded < published else None


def _publish(topic_arn: str, message: Message) -> None:
    texts = {"default": message.mail, "email": message.mail, "sms": message.sms}
    clients.client("sns").publish(
        TopicArn=topic_arn, Subject=message.subject, Message=json.dumps(texts), MessageStructure="json"
    )
