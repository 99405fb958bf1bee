"""What the state machine ``publish`` is made of: its parts, and tasks with what is tried again."""

from dataclasses import dataclass
from typing import Any

_LAMBDA_RETRY = {
    "ErrorEquals": [
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
    ],
    "IntervalSeconds": 2,
    "MaxAttempts": 4,
    "BackoffRate": 2,
    "MaxDelaySeconds": 30,
    "JitterStrategy": "FULL",
}
#: With reserved concurrency the extract function refuses while another extraction is at work: 15 minutes at most.
_BUSY_RETRY = {
    "ErrorEquals": ["Lambda.TooManyRequestsException"],
    "IntervalSeconds": 5,
    "MaxAttempts": 40,
    "BackoffRate": 2,
    "MaxDelaySeconds": 60,
    "JitterStrategy": "FULL",
}
_GLUE_RETRY = {
    "ErrorEquals": [
        "Glue.ConcurrentRunsExceededException",
        "Glue.ThrottlingException",
        "Glue.InternalServiceException",
    ],
    "IntervalSeconds": 20,
    "MaxAttempts": 12,
    "BackoffRate": 1.5,
    "MaxDelaySeconds": 300,
    "JitterStrategy": "FULL",
}
State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the machine works with.

    Attributes
    ----------
    extract_arn, load_arn, notify_arn
        The functions.
    job_name, maintenance_name
        The Glue jobs.
    topic_arn
        Where a failure is told when the notify function fails.
    name
        The machine's own name.
    """

    extract_arn: str
    load_arn: str
    notify_arn: str
    job_name: str
    maintenance_name: str
    topic_arn: str
    name: str


def invoke(function: str, payload: dict[str, Any], result: str, following: State) -> State:
    """Return a task that invokes a function and keeps its answer at the path `result`."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload": payload},
        "ResultSelector": {"result.$": "$.Payload"},
        "ResultPath": result,
        "Retry": [_LAMBDA_RETRY, _BUSY_RETRY],
        **following,
    }


def run(job: str, arguments: dict[str, str], following: str, failed: str = "MaintenanceFailed") -> State:
    """Return a task that runs a job to its end."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::glue:startJobRun.sync",
        "Parameters": {"JobName": job, **({"Arguments": arguments} if arguments else {})},
        "ResultPath": None,
        "Retry": [_GLUE_RETRY],
        "Next": following,
        **catch(failed),
    }


def catch(following: str, path: str = "$.error") -> State:
    """Return what a task does with every error: keep it at `path`, and go on."""
    return {"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": path, "Next": following}]}
