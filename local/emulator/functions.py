"""What the emulator's Lambda lacks: errors of all invocations are counted, and a destination is told which error it was.

It counts those invocations only for which somebody waits, and leaves the error out of what it sends to a destination.
"""

import json
import time
from contextlib import suppress
from typing import Any


def install() -> None:
    """Count where functions are executed, whoever invoked them; hand the function's report on to destinations."""
    import ministack.services.lambda_svc as service

    plain, emit, route = service._execute_function, service._emit_lambda_metrics, service._route_async_failure

    def execute(func: dict[str, Any], event: Any, *arguments: Any, **named: Any) -> Any:
        config = func.get("config") or func
        if service._function_config_scope_mismatch(config):
            return plain(func, event, *arguments, **named)  # comes back here, in the function's account
        began = time.time()
        result = plain(func, event, *arguments, **named)
        if not result.get("throttle"):
            emit(config["FunctionName"], (time.time() - began) * 1000, bool(result.get("error")), False)
        return result

    def throttled(name: str, duration_ms: float, error: bool, throttle: bool) -> None:
        if throttle:
            emit(name, duration_ms, error, throttle)

    def routed(target: str, name: str, event: Any, result: dict[str, Any]) -> None:
        route(target, name, event, {**result, "body": report(result.get("body"))})

    service._execute_function, service._emit_lambda_metrics = execute, throttled
    service._route_async_failure = routed


def report(body: Any) -> Any:
    """Return what a failed function answered as the object that it is; the emulator keeps it as text."""
    if isinstance(body, str | bytes):
        with suppress(ValueError):
            return json.loads(body)
    return body
