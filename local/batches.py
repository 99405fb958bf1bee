"""Moving one batch through the deployed platform, as its schedules do, and waiting for it."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from contracts.protocol.bucket import Bucket
from contracts.protocol.object_layout import manifest_key
from contracts.protocol.progress import newest_manifest, read_manifest, read_publication, whole_batches
from contracts.protocol.steps import LoadEvent, Step
from contracts.protocol.strict_json import plain
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.star import STAR_TABLES
from local.errors import BatchFailedError
from local.servers.emulator_process import client

#: States in which an execution has ended badly.
FAILED = ("FAILED", "TIMED_OUT", "ABORTED")
#: How long an event may take from the bucket to the state machine.
EVENT_SECONDS = 30
#: How long an invocation that continues a batch may take beyond its time budget.
CONTINUE_SECONDS = 20


def move_batch(platform: dict[str, str], read: str | list[str] | None = None) -> dict[str, Any]:
    """Invoke what the extract schedule invokes; wait until the batch is published and loaded.

    When the source has not changed, what an earlier failure left undone is finished, as the recovery
    schedule does it.

    Parameters
    ----------
    read
        What is read whole: ``everything``, or names of tables. Without it, what changed.

    Returns
    -------
    dict
        ``batch`` (its number, or None when there was nothing to do), ``seconds`` by stage and
        ``tables``: for each source and star table ``rows_read``, ``inserted``, ``updated``.

    Raises
    ------
    BatchFailedError
        With the platform's own error.
    """
    started = time.monotonic()
    outcome = _extract(platform, read)
    batch = _wait_until_whole(platform) or outcome["batch"]
    extract_seconds = round(time.monotonic() - started, 3)
    if batch is None:
        return _finish_pending(platform, outcome["reason"], extract_seconds)
    execution = wait_for(platform, started_by_event(platform, batch))
    stages = {"extract": extract_seconds, **_stage_seconds(platform, execution)}
    if following := _asked_for(platform, execution):
        wait_for(platform, started_by_event(platform, following))
    return describe(platform, batch, {**stages, "total": round(time.monotonic() - started, 3)})


def describe(platform: dict[str, str], batch: int, seconds: dict[str, float]) -> dict[str, Any]:
    """Return what a batch held and did, from its manifest and publication."""
    publication = read_publication(_bucket(platform, "processed_bucket"), batch)
    ingestion = _bucket(platform, "ingestion_bucket")
    manifest = next(whole_batches(ingestion, read_manifest(ingestion, batch).first - 1))  # others may be superseded
    tables: dict[str, dict[str, int]] = {}
    for name in SOURCE_TABLES:
        tables[name] = {"rows_read": manifest.tables[name].rows, "inserted": 0, "updated": 0}
    for name, star in STAR_TABLES.items():
        done = publication.tables[name]
        rows = manifest.tables[star.source].rows if star.source else 0
        tables[name] = {"rows_read": rows, "inserted": done.inserted, "updated": done.updated}
        if star.source:
            tables[star.source] = dict(tables[name])
    return {"batch": batch, "reason": manifest.reason, "seconds": seconds, "tables": tables}


def start_publish(platform: dict[str, str]) -> str:
    """Start the state machine as a person does, who leaves no batch to its event; return the execution's ARN."""
    answer = client(platform, "stepfunctions").start_execution(stateMachineArn=platform["state_machine"], input="{}")
    return str(answer["executionArn"])


def run_machine(platform: dict[str, str], request: dict[str, Any]) -> None:
    """Start the state machine with a request, such as for maintenance or a replay, and wait until it ends.

    Raises
    ------
    BatchFailedError
        With the job's own error.
    """
    machine = client(platform, "stepfunctions")
    execution = machine.start_execution(stateMachineArn=platform["state_machine"], input=json.dumps(request))
    wait_for(platform, str(execution["executionArn"]))


def invoke(platform: dict[str, str], function: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Invoke a function and return its result.

    Raises
    ------
    BatchFailedError
        With the function's own error.
    """
    answer = client(platform, "lambda").invoke(FunctionName=function, Payload=json.dumps(payload).encode())
    result = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        raise BatchFailedError(f"{function}: {_function_error(result)}")
    return dict(result)


def _extract(platform: dict[str, str], read: str | list[str] | None = None) -> dict[str, Any]:
    schedule = client(platform, "scheduler").get_schedule(Name=platform["extract_schedule"])
    request = json.loads(schedule["Target"]["Input"])
    return invoke(platform, platform["extract_function"], request if read is None else {**request, "read": read})


def _wait_until_whole(platform: dict[str, str]) -> int | None:
    """Wait while an unfinished batch is continued; return its number when there was one.

    When no invocation goes on with it, what the schedule invokes does.
    """
    last, since = 0, time.monotonic()
    while (newest := newest_manifest(_bucket(platform, "ingestion_bucket"))) and newest.unfinished:
        if newest.batch > last:
            last, since = newest.batch, time.monotonic()
        elif time.monotonic() - since > _time_budget(platform) + CONTINUE_SECONDS:
            _extract(platform)
            since = time.monotonic()
        time.sleep(0.2)
    return newest.batch if last and newest else None


def _time_budget(platform: dict[str, str]) -> int:
    function = client(platform, "lambda").get_function_configuration(FunctionName=platform["extract_function"])
    return int(function["Environment"]["Variables"]["TIME_BUDGET_SECONDS"])


def _bucket(platform: dict[str, str], name: str) -> Bucket:
    return Bucket(client(platform, "s3"), platform[name])


def _finish_pending(platform: dict[str, str], reason: str, extract_seconds: float) -> dict[str, Any]:
    newest = invoke(platform, platform["load_function"], plain(LoadEvent(Step.CHECK_PENDING.value)))["batches"]
    if newest <= loaded_batch(platform):
        return {"batch": None, "reason": reason, "seconds": {"extract": extract_seconds}, "tables": {}}
    started = time.monotonic()
    execution = wait_for(platform, start_publish(platform))
    stages = {"extract": extract_seconds, **_stage_seconds(platform, execution)}
    return describe(platform, newest, {**stages, "total": round(extract_seconds + time.monotonic() - started, 3)})


def loaded_batch(platform: dict[str, str]) -> int:
    """Return the newest batch in the warehouse's ledger, or 0 when there is none.

    Raises
    ------
    BatchFailedError
        When the warehouse does not answer.
    """
    try:
        with psycopg.connect(platform["warehouse_url"], connect_timeout=10) as connection:
            ledger = sql.Identifier(platform["ledger_schema"], "batch")
            found = connection.execute("select to_regclass(%s) is not null", [ledger.as_string(connection)]).fetchone()
            if not found or not found[0]:
                return 0
            row = connection.execute(sql.SQL("select coalesce(max(batch), 0) from {}").format(ledger)).fetchone()
    except psycopg.Error as error:
        raise BatchFailedError(f"The warehouse does not answer ({type(error).__name__}). Check that it runs.") from None
    return int(row[0]) if row else 0


def started_by_event(platform: dict[str, str], batch: int) -> str:
    """Find the execution that a manifest's event started; return its ARN.

    Raises
    ------
    BatchFailedError
        When there is none for a while.
    """
    machine = client(platform, "stepfunctions")
    deadline = time.monotonic() + EVENT_SECONDS
    while time.monotonic() < deadline:
        for execution in machine.list_executions(stateMachineArn=platform["state_machine"], maxResults=20)[
            "executions"
        ]:
            details = machine.describe_execution(executionArn=execution["executionArn"])
            if manifest_key(batch) in details.get("input", ""):
                return str(execution["executionArn"])
        time.sleep(0.1)
    raise BatchFailedError(
        f"Batch {batch} was committed, but its event started no execution within {EVENT_SECONDS} s. "
        f"The second schedule makes it good; run `batch` again to do so now."
    )


def wait_for(platform: dict[str, str], execution: str) -> str:
    """Wait until an execution ends; return its ARN.

    Raises
    ------
    BatchFailedError
        With the platform's own error, when it failed.
    """
    machine = client(platform, "stepfunctions")
    while True:
        details = machine.describe_execution(executionArn=execution)
        if details["status"] == "SUCCEEDED":
            return execution
        if details["status"] in FAILED:
            raise BatchFailedError(execution_error(details) + _read_anew(platform, execution))
        time.sleep(0.1)


def _asked_for(platform: dict[str, str], execution: str) -> int | None:
    """Return the number of the batch that brings the key lists for which an execution asked, if it did."""
    output = client(platform, "stepfunctions").describe_execution(executionArn=execution).get("output") or "{}"
    number = json.loads(output).get("keys", {}).get("result", {}).get("batch")
    return None if number is None else int(number)


def _read_anew(platform: dict[str, str], execution: str) -> str:
    """Return what to add to the error of an execution that had everything read, or ""."""
    exits = [event.get("stateExitedEventDetails", {}) for event in _history(platform, execution)]
    if "AskForEverything" not in [details.get("name") for details in exits]:
        return ""
    return " Everything was asked for anew, and the next execution goes on with it: run `batch` again to wait for that."


def _stage_seconds(platform: dict[str, str], execution: str) -> dict[str, float]:
    """Return how long each named state took, from the execution's history."""
    entered: dict[str, datetime] = {}
    seconds = {}
    for event in _history(platform, execution):
        if name := event.get("stateEnteredEventDetails", {}).get("name"):
            entered[name] = event["timestamp"]
        elif (name := event.get("stateExitedEventDetails", {}).get("name")) in ("Transform", "Load"):
            seconds[name.lower()] = round((event["timestamp"] - entered[name]).total_seconds(), 3)
    return seconds


def _history(platform: dict[str, str], execution: str) -> Iterator[dict[str, Any]]:
    machine = client(platform, "stepfunctions")
    yield from machine.get_execution_history(executionArn=execution, maxResults=1000)["events"]


def _function_error(result: Any) -> str:
    if isinstance(result, dict) and "errorMessage" in result:
        return f"{result.get('errorType', 'Error')}: {result['errorMessage']}"
    return str(result)


def execution_error(details: dict[str, Any]) -> str:
    """Return the message that matters in an execution's cause: a function's error, or a job run's."""
    cause = details.get("cause") or ""
    try:
        report = json.loads(cause)
    except ValueError:
        return f"{details.get('error', details['status'])}: {cause}"
    if "ErrorMessage" in report:
        return f"{report.get('JobName', 'the job')}: {report['ErrorMessage']}"
    return _function_error(report)
