"""What a person is told when an execution fails."""

import json

import pytest

from local import batches
from local.errors import BatchFailedError


class Machine:
    """A state machine with one execution, which failed after some states."""

    def __init__(self, *states):
        self._states = states

    def describe_execution(self, executionArn):
        run = {"JobName": "transform", "ErrorMessage": "LakeReconciliationError: keys differ"}
        return {"status": "FAILED", "error": "States.TaskFailed", "cause": json.dumps(run)}

    def get_execution_history(self, executionArn, maxResults):
        entered = [{"stateEnteredEventDetails": {"name": name}} for name in (*self._states, "Failed")]
        return {"events": [*entered, *({"stateExitedEventDetails": {"name": name}} for name in self._states)]}


@pytest.mark.parametrize(("states", "is_read"), [((), False), (("AskForEverything", "TellWhatWasAsked"), True)])
def test_a_failed_execution_that_had_everything_read_says_that_the_next_goes_on(monkeypatch, states, is_read):
    monkeypatch.setattr(batches, "client", lambda platform, service: Machine("CheckPending", "Transform", *states))
    with pytest.raises(BatchFailedError, match="transform: LakeReconciliationError: keys differ") as told:
        batches.wait_for({}, "arn")
    assert ("run `batch` again" in str(told.value)) is is_read
