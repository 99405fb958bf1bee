"""Where a platform stands."""

import json
from datetime import UTC, datetime
from typing import Any

from contracts.store import Bucket, newest_manifest_number, newest_publication_number, read_manifest
from local.aws import client
from local.batches import FAILED, execution_error, loaded_batch


def status(platform: dict[str, str]) -> dict[str, Any]:
    """Return what a person wants to know first.

    Returns
    -------
    dict
        ``batch``, ``publication``, ``load`` (newest numbers), ``freshness`` (age in seconds of the
        oldest batch that the warehouse does not show, 0 when it shows all), ``alarms`` (name → state)
        and ``last_error`` (``at``, ``where``, ``message``) or None.
    """
    s3 = client(platform, "s3")
    ingestion = Bucket(s3, platform["ingestion_bucket"])
    batch = newest_manifest_number(ingestion)
    publication = newest_publication_number(Bucket(s3, platform["processed_bucket"]))
    loaded = loaded_batch(platform)
    freshness = 0.0
    if loaded < batch:
        taken = datetime.fromisoformat(read_manifest(ingestion, loaded + 1).snapshot_time)
        freshness = round((datetime.now(UTC) - taken).total_seconds(), 1)
    alarms = client(platform, "cloudwatch").describe_alarms()["MetricAlarms"]
    errors = [*_failed_executions(platform), *_logged_errors(platform)]
    return {
        "batch": batch,
        "publication": publication,
        "load": loaded,
        "freshness": freshness,
        "alarms": {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms},
        "last_error": max(errors, key=lambda e: e["at"], default=None),
    }


def _failed_executions(platform: dict[str, str]) -> list[dict[str, str]]:
    machine = client(platform, "stepfunctions")
    for execution in machine.list_executions(stateMachineArn=platform["state_machine"], maxResults=100)["executions"]:
        if execution["status"] in FAILED:  # newest first
            details = machine.describe_execution(executionArn=execution["executionArn"])
            return [_error(execution["stopDate"], "publish", execution_error(details))]
    return []


def _logged_errors(platform: dict[str, str]) -> list[dict[str, str]]:
    logs = client(platform, "logs")
    found = []
    for function in (platform["extract_function"], platform["load_function"]):
        group = f"/aws/lambda/{function}"
        try:
            events = logs.filter_log_events(logGroupName=group, filterPattern='"ERROR"')["events"]
        except logs.exceptions.ResourceNotFoundException:
            continue
        for event in events:
            try:
                line = json.loads(event["message"])
            except ValueError:
                continue
            if isinstance(line, dict) and line.get("level") == "ERROR" and "detail" in line:
                at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                found.append(_error(at, function, f"{line.get('error')}: {line['detail']}"))
    return found


def _error(at: datetime, where: str, message: str) -> dict[str, str]:
    return {"at": at.astimezone(UTC).isoformat(timespec="seconds"), "where": where, "message": message}
