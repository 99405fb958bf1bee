"""Where a platform stands."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.errors import DamagedDocumentError
from contracts.protocol.bucket import Bucket
from contracts.protocol.manifest import Manifest
from contracts.protocol.object_layout import MANIFEST_PREFIX
from contracts.protocol.progress import newest_manifest_number, newest_publication_number
from local.batches import FAILED, execution_error, loaded_batch
from local.emulator.scheduler.record import FiringRecord
from local.schedules import schedules
from local.servers.emulator_process import client


def status(platform: dict[str, str]) -> dict[str, Any]:
    """Return what a person wants to know first.

    Returns
    -------
    dict
        ``batch``, ``publication``, ``load`` (newest numbers), ``freshness`` (age in seconds of the
        oldest batch that the warehouse does not show, 0 when it shows all), ``schedules`` (see
        `local.schedules.schedules`), ``alarms`` (name → state) and ``last_error`` (``at``, ``where``,
        ``message``) or None.
    """
    s3 = client(platform, "s3")
    ingestion = Bucket(s3, platform["ingestion_bucket"])
    batch = newest_manifest_number(ingestion)
    publication = newest_publication_number(Bucket(s3, platform["processed_bucket"]))
    loaded = loaded_batch(platform)
    alarms = client(platform, "cloudwatch").describe_alarms()["MetricAlarms"]
    errors = [*_failed_executions(platform), *_logged_errors(platform), *_failed_firings(platform)]
    return {
        "batch": batch,
        "publication": publication,
        "load": loaded,
        "freshness": freshness(ingestion, loaded),
        "schedules": schedules(platform),
        "alarms": {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms},
        "last_error": max(errors, key=lambda e: e["at"], default=None),
    }


def freshness(ingestion: Bucket, loaded: int) -> float:
    """Return the age in seconds of the oldest batch after `loaded`, by the platform's own clocks; 0 when there is none.

    A manifest that does not read as one is passed over: another tells the age nearly as well.
    """
    for key in ingestion.keys_after(MANIFEST_PREFIX, loaded):
        with suppress(DamagedDocumentError):
            taken = datetime.fromisoformat(Manifest.from_json(ingestion.get(key), key).taken_at)
            return max(0.0, round((datetime.now(UTC) - taken).total_seconds(), 1))
    return 0.0


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


def _failed_firings(platform: dict[str, str]) -> list[dict[str, str]]:
    firings = FiringRecord(Path(platform["firings"])).read()
    return [_error(datetime.fromisoformat(f.at), f.schedule, f.error) for f in firings if f.error]


def _error(at: datetime, where: str, message: str) -> dict[str, str]:
    return {"at": at.astimezone(UTC).isoformat(timespec="seconds"), "where": where, "message": message}
