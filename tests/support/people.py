"""Who is told: the real notify function over a bucket and a topic in memory, by a clock that tests turn."""

import json
from datetime import datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from tests.support.pipeline import lambda_context
from tests.support.s3 import MemoryS3

VARIABLES = {
    "DEPLOYMENT": "totesys-prod",
    "PROCESSED_BUCKET": "processed",
    "TOPIC_ARN": "arn:aws:sns:eu-west-2:111111111111:totesys-prod-alarms",
    "RUNBOOKS": "docs/runbooks/",
    "AWS_REGION": "eu-west-2",
    "POWERTOOLS_SERVICE_NAME": "totesys-prod-notify",
}
EXECUTION = "arn:aws:states:eu-west-2:111111111111:execution:totesys-prod-publish:1"


class Sent(NamedTuple):
    """A message, and when it was sent."""

    at: datetime
    subject: str
    mail: str
    sms: str


class People:
    """Subscribers of the topic.

    Attributes
    ----------
    sent
        What they got.
    objects
        What the bucket holds.
    is_deaf
        Whether the topic refuses messages.
    """

    def __init__(self, monkeypatch: Any, at: datetime) -> None:
        from lambdas.notify import handler

        for name, value in VARIABLES.items():
            monkeypatch.setenv(name, value)
        self.at, self.sent, self.is_deaf = at, [], False
        self._handler, s3 = handler, MemoryS3()
        self.objects = s3.objects
        clients = {"s3": s3, "sns": SimpleNamespace(publish=self._publish)}
        monkeypatch.setattr(handler.clients, "client", clients.__getitem__)
        monkeypatch.setattr(handler, "now", lambda: self.at)

    def hear(self, event: dict[str, Any]) -> str:
        """Invoke the function; return the subject of what was sent, or ""."""
        return str(self._handler.handler(event, lambda_context())["told"])

    def _publish(self, **request: str) -> None:
        if self.is_deaf:
            raise ClientError({"Error": {"Code": "InternalError"}}, "Publish")
        assert request["TopicArn"] == VARIABLES["TOPIC_ARN"] and request["MessageStructure"] == "json"
        texts = json.loads(request["Message"])
        assert texts.keys() == {"default", "email", "sms"} and texts["default"] == texts["email"]
        self.sent.append(Sent(self.at, request["Subject"], texts["email"], texts["sms"]))


def function_failure(stage: str, error: str, message: str = "") -> dict[str, Any]:
    """What the state machine tells of a function that failed."""
    cause = json.dumps({"errorMessage": message, "errorType": error, "requestId": "1", "stackTrace": ["File …"]})
    return {"stage": stage, "error": error, "cause": cause, "execution": EXECUTION}


def job_failure(message: str, state: str = "FAILED", stage: str = "transform") -> dict[str, Any]:
    """What it tells of a run of the job that failed."""
    run = {"JobName": "totesys-prod-transform", "JobRunState": state, "ErrorMessage": message, "Arguments": {}}
    return {"stage": stage, "error": "States.TaskFailed", "cause": json.dumps(run), "execution": EXECUTION}


def failed_invocation(error: str, message: str = "", condition: str = "RetriesExhausted") -> dict[str, Any]:
    """What Lambda sends after an asynchronous invocation of the extract function that failed."""
    function = "arn:aws:lambda:eu-west-2:111111111111:function:totesys-prod-extract:$LATEST"
    event = {
        "version": "1.0",
        "timestamp": "2026-11-26T21:00:00.000Z",
        "requestContext": {"requestId": "1", "functionArn": function, "condition": condition},
        "requestPayload": {"trigger": "schedule"},
    }
    if condition == "EventAgeExceeded":
        return event
    answer = {"errorMessage": message, **({"errorType": error} if error else {})}
    return {**event, "responseContext": {"statusCode": 200, "functionError": "Unhandled"}, "responsePayload": answer}


def alarm_change(name: str, state: str, deployment: str = "totesys-prod") -> dict[str, Any]:
    """What EventBridge sends when an alarm has changed its state."""
    return {
        "version": "0",
        "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": "111111111111",
        "time": "2026-11-26T21:00:00Z",
        "region": "eu-west-2",
        "resources": [f"arn:aws:cloudwatch:eu-west-2:111111111111:alarm:{deployment}-{name}"],
        "detail": {"alarmName": f"{deployment}-{name}", "state": {"value": state, "reason": "Threshold Crossed"}},
    }
