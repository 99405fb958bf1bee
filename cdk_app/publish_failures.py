"""How an execution of the state machine ``publish`` fails: what may mend it is asked for, and people are told."""

from typing import Any

from cdk_app.publish_tasks import Parts, State, catch, invoke
from contracts.protocol.steps import ExtractAnswer, ExtractEvent, PendingAnswer, Stage, Step, answered
from contracts.protocol.strict_json import plain

#: Errors of the job that a batch with every row mends: what is pending differs from the source, or cannot be read.
MENDED_BY_EVERYTHING = ("LakeReconciliationError", "IngestionDamagedError", "DamagedDocumentError")
#: Where the answers of the steps are kept.
PENDING, _EVERYTHING = "$.pending.result", "$.everything.result"


def after_a_failed_transform(parts: Parts) -> dict[str, State]:
    """Return the way from a failed run of the job: neither a failed load nor a failed extraction hides the job's error."""
    following = "WouldEverythingHelp"
    load = {"Next": following, **catch(following, "$.load_error")}
    everything = plain(ExtractEvent(trigger="reconciliation", read="everything"))
    mended = [{"Variable": "$.error.Cause", "StringMatches": f"*{name}*"} for name in MENDED_BY_EVERYTHING]
    none_waits = [
        {"Variable": answered(PENDING, PendingAnswer, "full_pending"), "IsPresent": True},
        {"Variable": answered(PENDING, PendingAnswer, "full_pending"), "BooleanEquals": False},
    ]
    return {
        "LoadWhatIsPublished": invoke(parts.load_arn, {"step": Step.LOAD.value}, "$.load", load),
        following: {
            "Type": "Choice",
            "Choices": [{"And": [*none_waits, {"Or": mended}], "Next": "AskForEverything"}],
            "Default": "TransformFailed",
        },
        "AskForEverything": invoke(
            parts.extract_arn,
            everything,
            "$.everything",
            {"Next": "NotifyWhatWasAsked", **catch("TransformFailed", "$.everything_error")},
        ),
        "NotifyWhatWasAsked": _notify(
            parts,
            {"stage": Stage.TRANSFORM.value, "asked.$": answered(_EVERYTHING, ExtractAnswer, "batch"), "mended": True},
        ),
    }


def ends(parts: Parts) -> dict[str, State]:
    """Return the ends of an execution: each stage's failure is told before it fails."""
    return {
        "Done": {"Type": "Succeed"},
        **{f"{stage.value.capitalize()}Failed": _stage(stage) for stage in Stage},
        "Notify": _notify(parts, {"stage.$": "$.stage"}),
        "NotifyTopic": _notify_topic(parts),
        "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
    }


def _stage(stage: Stage) -> State:
    """Say at which stage the execution failed: what caught the error does not."""
    return {"Type": "Pass", "Result": stage.value, "ResultPath": "$.stage", "Next": "Notify"}


def _notify(parts: Parts, request: dict[str, Any]) -> State:
    """Have people told of the execution's error (a `FailureEvent`), then fail."""
    told = {"error.$": "$.error.Error", "cause.$": "$.error.Cause", "execution.$": "$$.Execution.Id"}
    following = {"Next": "Failed", **catch("NotifyTopic", "$.notify_error")}
    return invoke(parts.notify_arn, {**request, **told}, "$.notified", following)


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
        **catch("Failed", "$.notify_error"),
    }
