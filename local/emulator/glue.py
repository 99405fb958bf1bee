"""Glue jobs that really run: the emulator would report success without running Spark.

A run is a process with the script, arguments and library of the deployed job, and the job role's
own credentials; it is started ahead. Runs of a job with one concurrent run queue, as job run queuing makes them.
"""

import json
import os
import re
import shutil
import subprocess
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.spark.ahead import Ahead, SparkRun
from local.spark.waiting import LOGIN

#: Free space that a run needs to begin.
SCRATCH_BYTES = 64 * 2**20

_queues: dict[str, threading.Lock] = defaultdict(threading.Lock)


def install() -> Callable[[], None]:
    """Replace the emulator's Docker runner, and add what the state machine asks of Glue, with the runs listed newest first.

    Returns
    -------
    callable
        Starts the process of the next run ahead.
    """
    import ministack.app as app
    import ministack.services.glue as service
    import ministack.services.stepfunctions as machines

    service._get_docker = _NoDocker
    ahead = _ahead()

    def execute(
        run: dict[str, Any], job: dict[str, Any], job_name: str, args: dict[str, Any], script_path: str, docker: object
    ) -> None:
        del docker
        run["JobRunState"] = "WAITING"
        with _queues[job_name]:
            run["JobRunState"] = "RUNNING"
            try:
                _check_room()
                _run(run, job, args, script_path, ahead)
            except OSError as error:
                run["JobRunState"], run["ErrorMessage"] = "FAILED", f"{type(error).__name__}: {error}"
            # An Iceberg table's pointer lives in the catalog's memory; a killed emulator would forget it.
            app.save_all(app._build_persistence_save_dict())

    service._execute_spark_docker = execute

    def get_job_runs(resource: str, data: dict[str, Any]) -> dict[str, Any]:
        del resource
        newest_first = service._job_runs.get(data["JobName"], [])[::-1]
        return {"JobRuns": [dict(run) for run in newest_first[: data["MaxResults"]]]}

    def start_job_run(resource: str, data: dict[str, Any]) -> dict[str, Any]:
        status, _, body = service._start_job_run(data)
        answer = json.loads(body)
        if status >= 400:
            code = answer.get("__type", "ServiceException").split("#")[-1]
            raise machines._ExecutionError(f"Glue.{code}", answer.get("message", str(answer)))
        if not resource.endswith(".sync"):
            return dict(answer)
        run = next(r for r in service._job_runs[data["JobName"]] if r["Id"] == answer["JobRunId"])
        while run["JobRunState"] in ("STARTING", "RUNNING", "STOPPING", "WAITING"):
            time.sleep(0.05)
        if run["JobRunState"] != "SUCCEEDED":
            raise machines._ExecutionError("States.TaskFailed", json.dumps(run, default=str))
        return dict(run)

    machines._SERVICE_DISPATCH["arn:aws:states:::glue:startJobRun"] = start_job_run
    machines._SERVICE_DISPATCH["arn:aws:states:::aws-sdk:glue:getJobRuns"] = get_job_runs
    return ahead.prepare


class _NoDocker:
    """Makes the emulator believe that it can run Spark."""

    images = type("Images", (), {"get": staticmethod(lambda name: name)})


def _check_room() -> None:
    """Refuse a run that would fail with Spark's stack traces for want of space."""
    free = shutil.disk_usage(os.environ["TMPDIR"]).free
    if free < SCRATCH_BYTES:
        raise OSError(
            f"The disk is full: Spark needs {SCRATCH_BYTES // 2**20} MiB for temporary files, {free // 2**20} MiB are free. "
            f"Free some space; the batch waits."
        )


def _run(run: dict[str, Any], job: dict[str, Any], args: dict[str, Any], script_path: str, ahead: Ahead) -> None:
    endpoint = _endpoint()
    library = _library(args["--extra-py-files"], endpoint)
    arguments = [part for name, value in args.items() for part in (name, str(value))]
    log = Path(os.environ["LOCAL_LOGS"]) / f"transform-{run['Id']}.log"
    try:
        with ahead.running(SparkRun(script_path, arguments, library, _login(job, endpoint)), log) as process:
            code = process.wait(timeout=60 * int(job.get("Timeout") or 60))
    except subprocess.TimeoutExpired:
        run["JobRunState"], run["ErrorMessage"] = "TIMEOUT", "The run took longer than the job's timeout."
        return
    run["JobRunState"] = "SUCCEEDED" if code == 0 else "FAILED"
    if code:
        run["ErrorMessage"] = _last_error(log.read_text("utf-8", errors="replace"), code)


def _endpoint() -> str:
    return f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"


def _ahead() -> Ahead:
    kept = {name: value for name, value in os.environ.items() if name not in LOGIN}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # a library is unpacked once, and its modules are compiled once
    own = {
        "AWS_ENDPOINT_URL": _endpoint(),
        "AWS_REGION": os.environ["MINISTACK_REGION"],
        "AWS_DEFAULT_REGION": os.environ["MINISTACK_REGION"],
    }
    settings, logs, scratch = (Path(os.environ[name]) for name in ("LOCAL_SPARK_CONF", "LOCAL_LOGS", "TMPDIR"))
    practises = os.environ.get("LOCAL_SPARK_PRACTICE", "1") != "0"
    return Ahead(settings, logs, scratch, {**kept, **own}, practises=practises)


def _login(job: dict[str, Any], endpoint: str) -> dict[str, str]:
    import boto3

    session = boto3.client("sts", endpoint_url=endpoint).assume_role(RoleArn=job["Role"], RoleSessionName="glue-job")
    keys = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    return dict(zip(LOGIN, (session["Credentials"][key] for key in keys), strict=True))


def _library(location: str, endpoint: str) -> Path:
    """Unpack the job's library; its key is the digest of its content."""
    import boto3

    bucket, _, key = location.removeprefix("s3://").partition("/")
    target = Path(os.environ["TMPDIR"]) / "libraries" / Path(key).stem
    if not target.exists():
        target.mkdir(parents=True)
        archive = target.with_suffix(".zip")
        boto3.client("s3", endpoint_url=endpoint).download_file(bucket, key, str(archive))
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(target)
    return target


def _last_error(log: str, code: int) -> str:
    """Return the last exception of a log, as Glue shows it."""
    errors = re.findall(r"^(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*(?:Error|Exception): .*)$", log, re.MULTILINE)
    if errors:
        return str(errors[-1])[:2000]
    return f"The run ended with code {code}." if code > 0 else f"The run was killed by signal {-code}."
