"""What the emulator's Lambda lacks: errors of all invocations are counted, and an error has the name of its class.

It counts those invocations only for which somebody waits, and calls every error of a handler ``Runtime.HandlerError``.
"""

import re
import time
from typing import Any


def install() -> None:
    """Count, and name errors, where functions are executed, whoever invoked them."""
    import ministack.services.lambda_svc as service

    plain, emit = service._execute_function, service._emit_lambda_metrics

    def execute(func: dict[str, Any], event: Any, *arguments: Any, **named: Any) -> Any:
        config = func.get("config") or func
        if service._function_config_scope_mismatch(config):
            return plain(func, event, *arguments, **named)  # comes back here, in the function's account
        began = time.time()
        result = with_name(plain(func, event, *arguments, **named))
        if not result.get("throttle"):
            emit(config["FunctionName"], (time.time() - began) * 1000, bool(result.get("error")), False)
        return result

    def throttled(name: str, duration_ms: float, error: bool, throttle: bool) -> None:
        if throttle:
            emit(name, duration_ms, error, throttle)

    service._execute_function, service._emit_lambda_metrics = execute, throttled


def with_name(result: dict[str, Any]) -> dict[str, Any]:
    """Return what an invocation ended with, an error by its class, as the trace in its log has it."""
    body = result.get("body")
    if not isinstance(body, dict) or body.get("errorType") != "Runtime.HandlerError":
        return result
    first_line = str(body.get("errorMessage", "")).partition("\n")[0]
    found = re.search(rf"^(?:\w+\.)*(\w+): {re.escape(first_line)}", result.get("log") or "", re.MULTILINE)
    return {**result, "body": {**body, "errorType": found[1]}} if found else result
