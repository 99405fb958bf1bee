"""The state machine ``publish`` in the Amazon States Language, a piece for each thing that it can be asked for."""

from dataclasses import dataclass
from typing import Any

from contracts.protocol.steps import (
    COLUMNS,
    FROM,
    INTO,
    MODE,
    SCHEDULE,
    TO,
    TRIGGER,
    ExtractAnswer,
    ExtractEvent,
    JobMode,
    LoadAnswer,
    LoadEvent,
    Mode,
    PendingAnswer,
    RebuildAnswer,
    Stage,
    Step,
    answered,
)
from contracts.protocol.strict_json import plain

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
#: Errors of the job that a batch with every row mends: what is pending differs from the source, or cannot be read.
MENDED_BY_EVERYTHING = ("LakeReconciliationError", "IngestionDamagedError", "DamagedDocumentError")

#: A batch that has waited for less is left by the recovery schedule to the execution that its event has started: the event comes
#: within seconds, and a run of the job takes one or two minutes. A lost event is made good by the next recovery.
LEFT_TO_EVENT_SECONDS = 300
#: How long an execution waits before it looks again whether the job is at work. A look costs 0.0001 USD, a run of the job that
#: finds nothing, because the one before has taken everything, a minute of its workers.
LOOK_AGAIN_SECONDS = 15
#: States of a job run that has not ended.
AT_WORK = ("STARTING", "RUNNING", "STOPPING", "WAITING")

State = dict[str, Any]
#: Where the answers of the steps are kept.
_PENDING, _LOADED, _REBUILT, _EVERYTHING = (f"$.{name}.result" for name in ("pending", "load", "rebuild", "everything"))


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


def definition(parts: Parts) -> dict[str, Any]:
    """Return the state machine.

    What started it hardly matters: it looks for itself what is pending, so a duplicate, late or out-of-order event finds nothing to
    do; only the recovery schedule leaves a batch of the last minutes to its event. A load whose time is over is called again, as
    long as it comes further; what does not fit into the machine's time is left to the next execution. A failed transform does not
    keep publications that exist from the warehouse; every failure is told before the execution fails. When the lake shows keys that
    the source has deleted, and no key list has told which, the next extraction is asked for one. When what is pending cannot be
    transformed as it is, and no full batch waits behind it, the extraction is asked for one, once.

    ``{"mode": "maintain"}`` starts the lake's maintenance instead, ``{"from": 3, "to": 9, "into": "<database>_replay"}`` a
    replay, and ``{"mode": "rebuild"}`` makes the warehouse anew: the job lists the lake's files, the load function copies them, as
    often as its time makes necessary, and what was published meanwhile is loaded afterwards. ``{"mode": "take_over"}`` does the same
    with a warehouse that belongs to another lake, or is ahead of this one. ``{"mode": "drop_columns", "columns": "table.column"}``
    drops columns that the contract has given up.
    """
    return {
        "Comment": "Transforms pending batches and loads pending publications.",
        "StartAt": "WhatIsAskedFor",
        "States": {
            "WhatIsAskedFor": _what_is_asked_for(),
            **_maintenance(parts),
            **_rebuild(parts),
            **_drop_columns(parts),
            **_forward(parts),
            **_after_a_failed_transform(parts),
            **_ends(parts),
        },
    }


def _what_is_asked_for() -> State:
    is_set = {"Variable": f"$.{MODE}", "IsPresent": True}

    def mode(name: str, following: str) -> State:
        return {"And": [is_set, {"Variable": f"$.{MODE}", "StringEquals": name}], "Next": following}

    return {
        "Type": "Choice",
        "Choices": [
            {"Variable": f"$.{INTO}", "IsPresent": True, "Next": "Replay"},
            mode(Mode.REBUILD, "KeepOwner"),
            mode(Mode.TAKE_OVER, "TakeOver"),
            mode(Mode.DROP_COLUMNS, "DropFromWarehouse"),
            {**is_set, "Next": "Maintain"},
        ],
        "Default": "CheckPending",
    }


def _maintenance(parts: Parts) -> dict[str, State]:
    span = {"--from.$": f"States.Format('{{}}', $.{FROM})", "--to.$": f"States.Format('{{}}', $.{TO})"}
    return {
        "Maintain": _run(parts.maintenance_name, {"--mode.$": f"$.{MODE}"}, "Done"),
        "Replay": _run(
            parts.maintenance_name, {"--mode": JobMode.REPLAY.value, **span, "--into.$": f"$.{INTO}"}, "Done"
        ),
    }


def _rebuild(parts: Parts) -> dict[str, State]:
    """Return the way to a rebuilt warehouse; whether it may be another lake's, only the request's mode says."""
    request = {**plain(LoadEvent(Step.REBUILD.value)), "take_over.$": "$.take_over"}
    return {
        "KeepOwner": {"Type": "Pass", "Result": False, "ResultPath": "$.take_over", "Next": "ListFiles"},
        "TakeOver": {"Type": "Pass", "Result": True, "ResultPath": "$.take_over", "Next": "ListFiles"},
        "ListFiles": _run(parts.maintenance_name, {"--mode": JobMode.LIST.value}, "Rebuild"),
        "Rebuild": _invoke(parts.load_arn, request, "$.rebuild", {"Next": "IsRebuilt", **_catch("LoadFailed")}),
        "IsRebuilt": {
            "Type": "Choice",
            "Choices": [{"Variable": answered(_REBUILT, RebuildAnswer, "done"), "BooleanEquals": True, "Next": "Load"}],
            "Default": "Rebuild",
        },
    }


def _drop_columns(parts: Parts) -> dict[str, State]:
    """Return the way of a column that the contract has given up: out of the warehouse, which may refuse, then the lake."""
    named = f"$.{COLUMNS}"
    request = {**plain(LoadEvent(Step.DROP_COLUMNS.value)), f"{COLUMNS}.$": named}
    arguments = {"--mode": JobMode.DROP_COLUMNS.value, f"--{COLUMNS}.$": named}
    return {
        "DropFromWarehouse": _invoke(
            parts.load_arn, request, "$.dropped", {"Next": "DropFromLake", **_catch("LoadFailed")}
        ),
        "DropFromLake": _run(parts.maintenance_name, arguments, "Done"),
    }


def _forward(parts: Parts) -> dict[str, State]:
    keys = {**plain(ExtractEvent(trigger="reconciliation")), "keys.$": answered(_LOADED, LoadAnswer, "keys_wanted")}
    more = answered(_LOADED, LoadAnswer, "more")
    return {
        "CheckPending": _invoke(
            parts.load_arn,
            plain(LoadEvent(Step.CHECK_PENDING.value)),
            "$.pending",
            {"Next": "IsABatchPending", **_catch("CheckFailed")},
        ),
        "IsABatchPending": {
            "Type": "Choice",
            "Choices": [
                {"And": _is_left_to_the_event(), "Next": "Load"},
                {
                    "Variable": answered(_PENDING, PendingAnswer, "untransformed"),
                    "NumericGreaterThan": 0,
                    "Next": "LookForARun",
                },
            ],
            "Default": "Load",
        },
        **_wait_for_the_run(parts),
        "Transform": _run(parts.job_name, {}, "Load", "LoadWhatIsPublished"),
        "Load": _invoke(
            parts.load_arn, {"step": Step.LOAD.value}, "$.load", {"Next": "IsMoreToLoad", **_catch("LoadFailed")}
        ),
        "IsMoreToLoad": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [
                        {"Variable": more, "IsPresent": True},  # a function of an earlier release says nothing of it
                        {"Variable": more, "BooleanEquals": True},
                    ],
                    "Next": "Load",
                }
            ],
            "Default": "AreKeysWanted",
        },
        "AreKeysWanted": {
            "Type": "Choice",
            "Choices": [
                {"Variable": answered(_LOADED, LoadAnswer, "wanted"), "NumericGreaterThan": 0, "Next": "AskForKeys"}
            ],
            "Default": "Done",
        },
        "AskForKeys": _invoke(parts.extract_arn, keys, "$.keys", {"Next": "Done", **_catch("ExtractFailed")}),
    }


def _is_left_to_the_event() -> list[State]:
    trigger, waits = f"$.{TRIGGER}", answered(_PENDING, PendingAnswer, "waits_seconds", if_present=True)
    return [
        {"Variable": trigger, "IsPresent": True},
        {"Variable": trigger, "StringEquals": SCHEDULE},
        {"Variable": waits, "IsPresent": True},
        {"Variable": waits, "NumericLessThan": LEFT_TO_EVENT_SECONDS},
    ]


def _wait_for_the_run(parts: Parts) -> dict[str, State]:
    """Return the way to a run of the job that has something to do.

    A run takes whatever is committed before it ends, so another one that is queued behind it mostly finds nothing. The execution
    waits instead, and looks anew what is pending. Where the runs cannot be told, the job is started, which queues.
    """
    newest = "$.run.states[0]"
    is_at_work = {"Or": [{"Variable": newest, "StringEquals": state} for state in AT_WORK]}
    return {
        "LookForARun": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:glue:getJobRuns",
            "Parameters": {"JobName": parts.job_name, "MaxResults": 1},
            "ResultSelector": {"states.$": "$.JobRuns[*].JobRunState"},
            "ResultPath": "$.run",
            "Next": "IsARunAtWork",
            **_catch("Transform", "$.run_error"),
        },
        "IsARunAtWork": {
            "Type": "Choice",
            "Choices": [{"And": [{"Variable": newest, "IsPresent": True}, is_at_work], "Next": "WaitForTheRun"}],
            "Default": "Transform",
        },
        "WaitForTheRun": {"Type": "Wait", "Seconds": LOOK_AGAIN_SECONDS, "Next": "CheckPending"},
    }


def _after_a_failed_transform(parts: Parts) -> dict[str, State]:
    """Return the way from a failed run of the job: neither a failed load nor a failed extraction hides the job's error."""
    following = "WouldEverythingHelp"
    load = {"Next": following, **_catch(following, "$.load_error")}
    everything = plain(ExtractEvent(trigger="reconciliation", read="everything"))
    mended = [{"Variable": "$.error.Cause", "StringMatches": f"*{name}*"} for name in MENDED_BY_EVERYTHING]
    none_waits = [
        {"Variable": answered(_PENDING, PendingAnswer, "full_pending"), "IsPresent": True},
        {"Variable": answered(_PENDING, PendingAnswer, "full_pending"), "BooleanEquals": False},
    ]
    return {
        "LoadWhatIsPublished": _invoke(parts.load_arn, {"step": Step.LOAD.value}, "$.load", load),
        following: {
            "Type": "Choice",
            "Choices": [{"And": [*none_waits, {"Or": mended}], "Next": "AskForEverything"}],
            "Default": "TransformFailed",
        },
        "AskForEverything": _invoke(
            parts.extract_arn,
            everything,
            "$.everything",
            {"Next": "NotifyWhatWasAsked", **_catch("TransformFailed", "$.everything_error")},
        ),
        "NotifyWhatWasAsked": _notify(
            parts,
            {"stage": Stage.TRANSFORM.value, "asked.$": answered(_EVERYTHING, ExtractAnswer, "batch"), "mended": True},
        ),
    }


def _ends(parts: Parts) -> dict[str, State]:
    return {
        "Done": {"Type": "Succeed"},
        **{f"{stage.value.capitalize()}Failed": _stage(stage) for stage in Stage},
        "Notify": _notify(parts, {"stage.$": "$.stage"}),
        "NotifyTopic": _notify_topic(parts),
        "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
    }


def _invoke(function: str, payload: dict[str, Any], result: str, following: State) -> State:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload": payload},
        "ResultSelector": {"result.$": "$.Payload"},
        "ResultPath": result,
        "Retry": [_LAMBDA_RETRY, _BUSY_RETRY],
        **following,
    }


def _run(job: str, arguments: dict[str, str], following: str, failed: str = "MaintenanceFailed") -> State:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::glue:startJobRun.sync",
        "Parameters": {"JobName": job, **({"Arguments": arguments} if arguments else {})},
        "ResultPath": None,
        "Retry": [_GLUE_RETRY],
        "Next": following,
        **_catch(failed),
    }


def _catch(following: str, path: str = "$.error") -> State:
    return {"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": path, "Next": following}]}


def _stage(stage: Stage) -> State:
    """Say at which stage the execution failed: what caught the error does not."""
    return {"Type": "Pass", "Result": stage.value, "ResultPath": "$.stage", "Next": "Notify"}


def _notify(parts: Parts, request: dict[str, Any]) -> State:
    """Have people told of the execution's error (a `FailureEvent`), then fail."""
    told = {"error.$": "$.error.Error", "cause.$": "$.error.Cause", "execution.$": "$$.Execution.Id"}
    following = {"Next": "Failed", **_catch("NotifyTopic", "$.notify_error")}
    return _invoke(parts.notify_arn, {**request, **told}, "$.notified", following)


def _notify_topic(parts: Parts) -> State:
    """Tell the topic itself, when the function that tells people has failed."""
    text = (
        "Nothing is lost: the next batch or interval tries again. The notify function failed as well: look at its log."
    )
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Parameters": {
            "TopicArn": parts.topic_arn,
            "Subject": f"{parts.name} failed",
            "Message.$": f"States.Format('Execution {{}} failed: {{}}. {text}', $$.Execution.Id, $.error.Error)",
        },
        "ResultPath": None,
        "Next": "Failed",
        **_catch("Failed", "$.notify_error"),
    }
