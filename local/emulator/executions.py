"""What the emulator's Step Functions lacks: an execution that lasts longer than its machine allows is ended."""

import contextvars
import json
import threading
from collections.abc import Callable
from typing import Any


def install(when_over: Callable[[], None]) -> None:
    """End executions after their machine's ``TimeoutSeconds``; what is ended stays as it ended.

    Parameters
    ----------
    when_over
        Is called after each execution.
    """
    import ministack.services.stepfunctions as machines

    machines._run_execution = _within_time(machines, when_over)
    machines._fail_execution = _once(machines._fail_execution)


def _within_time(machines: Any, when_over: Callable[[], None]) -> Callable[[str], None]:
    plain = machines._run_execution

    def run(arn: str) -> None:
        execution = machines._executions[arn]
        machine = machines._state_machines[execution["stateMachineArn"]]
        allowed = json.loads(machine["definition"]).get("TimeoutSeconds", threading.TIMEOUT_MAX)
        timer = threading.Timer(allowed, contextvars.copy_context().run, (_time_out, machines, execution))
        timer.daemon = True
        timer.start()
        try:
            plain(arn)
        finally:
            timer.cancel()
            when_over()

    return run


def _time_out(machines: Any, execution: dict[str, Any]) -> None:
    if execution["status"] != "RUNNING":
        return
    execution |= {"status": "TIMED_OUT", "stopDate": machines.now_iso()}
    machines._add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {}})
    machines._emit_execution_status_event(execution)


def _once(plain: Callable[..., None]) -> Callable[..., None]:
    def fail(execution: dict[str, Any], error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            plain(execution, error, cause)

    return fail
