"""Running the checks beside each other: none waits for another, and none stops another."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import psycopg
from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import ContractError
from lambdas.errors import PlatformError
from operate.doctor.finding import Finding
from operate.doctor.kinds import Kind
from operate.doctor.permissions import code, denied
from operate.doctor.platform import Platform

Check = Callable[[Platform], Iterator[Finding]]
#: Seconds after which a check that has not ended is given up.
LIMIT_SECONDS = 60


@dataclass(slots=True)
class Result:
    """What one check found."""

    check: str
    findings: list[Finding] = field(default_factory=list)


def run(
    checks: Mapping[str, Check],
    platform: Platform,
    progress: Callable[[int], None] = lambda _: None,
    limit_seconds: float = LIMIT_SECONDS,
) -> list[Result]:
    """Run all checks at once and return what they found, in their order.

    Parameters
    ----------
    progress
        Told how many have ended.
    limit_seconds
        After how long the rest is given up; what a check found until then is kept.
    """
    results = {name: Result(name) for name in checks}
    ended: queue.Queue[str] = queue.Queue()

    def work(name: str, check: Check) -> None:
        findings = results[name].findings
        try:
            for finding in check(platform):
                findings.append(finding)
        except Exception as error:  # a check that fails is a finding, and the others go on
            findings.append(_told(error))
        ended.put(name)

    for name, check in checks.items():
        # daemons: the command ends though one of them still waits for an answer
        threading.Thread(target=work, args=(name, check), daemon=True).start()
    waiting, deadline = set(checks), time.monotonic() + limit_seconds
    while waiting:
        try:
            waiting.remove(ended.get(timeout=max(0.0, deadline - time.monotonic())))
        except queue.Empty:
            break
        progress(len(checks) - len(waiting))
    late = Kind.NOT_CHECKED.found(f"There was no answer within {limit_seconds:g} seconds.")
    return [Result(name, [*result.findings, *([late] if name in waiting else [])]) for name, result in results.items()]


def _told(error: Exception) -> Finding:
    """Turn an error into a finding, without what it may quote."""
    if isinstance(error, ClientError):
        if permission := denied(error):
            return Kind.NOT_PERMITTED.found(f"{permission} is not allowed to you.", permission=permission)
        return Kind.NOT_CHECKED.found(f"AWS answered {error.operation_name} with {code(error)}.")
    if isinstance(error, PlatformError | ContractError):
        return Kind.NOT_CHECKED.found(str(error))
    if isinstance(error, psycopg.Error):
        return Kind.NOT_CHECKED.found(f"The database failed ({error.sqlstate or 'connection lost'}).")
    if isinstance(error, BotoCoreError):
        return Kind.NOT_CHECKED.found(f"AWS did not answer ({type(error).__name__}).")
    return Kind.NOT_CHECKED.found(f"The check itself failed ({type(error).__name__}): please report it.")
