"""The state machine ``publish`` in the Amazon States Language, a piece for each thing that it can be asked for."""

from typing import Any

from cdk_app.publish_failures import PENDING, after_a_failed_transform, ends
from cdk_app.publish_tasks import Parts, State, catch, invoke, run
from contracts.protocol.steps import (
    COLUMNS,
    FROM,
    INTO,
    MODE,
    SCHEDULE,
    TO,
    TRIGGER,
    ExtractEvent,
    JobMode,
    LoadAnswer,
    LoadEvent,
    Mode,
    PendingAnswer,
    RebuildAnswer,
    Step,
    answered,
)
from contracts.protocol.strict_json import plain

#: A batch that has waited for less is left by the recovery schedule to the execution that its event has started: the event comes
#: within seconds, and a run of the job takes one or two minutes. A lost event is made good by the next recovery.
LEFT_TO_EVENT_SECONDS = 300
#: How long an execution waits before it looks again whether the job is at work. A look costs 0.0001 USD, a run of the job that
#: finds nothing, because the one before has taken everything, a minute of its workers.
LOOK_AGAIN_SECONDS = 15
#: States of a job run that has not ended.
AT_WORK = ("STARTING", "RUNNING", "STOPPING", "WAITING")

#: Where the answers of the steps are kept.
_LOADED, _REBUILT = "$.load.result", "$.rebuild.result"


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
            **after_a_failed_transform(parts),
            **ends(parts),
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
        "Maintain": run(parts.maintenance_name, {"--mode.$": f"$.{MODE}"}, "Done"),
        "Replay": run(
            parts.maintenance_name, {"--mode": JobMode.REPLAY.value, **span, "--into.$": f"$.{INTO}"}, "Done"
        ),
    }


def _rebuild(parts: Parts) -> dict[str, State]:
    """Return the way to a rebuilt warehouse; whether it may be another lake's, only the request's mode says."""
    request = {**plain(LoadEvent(Step.REBUILD.value)), "take_over.$": "$.take_over"}
    return {
        "KeepOwner": {"Type": "Pass", "Result": False, "ResultPath": "$.take_over", "Next": "ListFiles"},
        "TakeOver": {"Type": "Pass", "Result": True, "ResultPath": "$.take_over", "Next": "ListFiles"},
        "ListFiles": run(parts.maintenance_name, {"--mode": JobMode.LIST.value}, "Rebuild"),
        "Rebuild": invoke(parts.load_arn, request, "$.rebuild", {"Next": "IsRebuilt", **catch("LoadFailed")}),
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
        "DropFromWarehouse": invoke(
            parts.load_arn, request, "$.dropped", {"Next": "DropFromLake", **catch("LoadFailed")}
        ),
        "DropFromLake": run(parts.maintenance_name, arguments, "Done"),
    }


def _forward(parts: Parts) -> dict[str, State]:
    keys = {**plain(ExtractEvent(trigger="reconciliation")), "keys.$": answered(_LOADED, LoadAnswer, "keys_wanted")}
    more = answered(_LOADED, LoadAnswer, "more")
    return {
        "CheckPending": invoke(
            parts.load_arn,
            plain(LoadEvent(Step.CHECK_PENDING.value)),
            "$.pending",
            {"Next": "IsABatchPending", **catch("CheckFailed")},
        ),
        "IsABatchPending": {
            "Type": "Choice",
            "Choices": [
                {"And": _is_left_to_the_event(), "Next": "Load"},
                {
                    "Variable": answered(PENDING, PendingAnswer, "untransformed"),
                    "NumericGreaterThan": 0,
                    "Next": "LookForARun",
                },
            ],
            "Default": "Load",
        },
        **_wait_for_the_run(parts),
        "Transform": run(parts.job_name, {}, "Load", "LoadWhatIsPublished"),
        "Load": invoke(
            parts.load_arn, {"step": Step.LOAD.value}, "$.load", {"Next": "IsMoreToLoad", **catch("LoadFailed")}
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
        "AskForKeys": invoke(parts.extract_arn, keys, "$.keys", {"Next": "Done", **catch("ExtractFailed")}),
    }


def _is_left_to_the_event() -> list[State]:
    trigger, waits = f"$.{TRIGGER}", answered(PENDING, PendingAnswer, "waits_seconds", if_present=True)
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
            **catch("Transform", "$.run_error"),
        },
        "IsARunAtWork": {
            "Type": "Choice",
            "Choices": [{"And": [{"Variable": newest, "IsPresent": True}, is_at_work], "Next": "WaitForTheRun"}],
            "Default": "Transform",
        },
        "WaitForTheRun": {"Type": "Wait", "Seconds": LOOK_AGAIN_SECONDS, "Next": "CheckPending"},
    }
