"""The AWS emulator as a process of a home, and clients that talk to it."""

import functools
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import boto3

from local.errors import PlatformDownError, ProcessFailedError
from local.home import ROOT, Home
from local.servers.processes import end_leftovers, free_port, is_running, stop_group, tail

ACCOUNT = "000000000001"
REGION = "eu-west-2"
MARKER = "local.emulator"


class Aws:
    """The emulator of one home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._pid_file = home.directory / "aws" / "emulator.pid"

    def start(self) -> str:
        """Start the emulator on a free port of 127.0.0.1, stopping one that runs already.

        Returns
        -------
        str
            Its endpoint.

        Raises
        ------
        ProcessFailedError
            When it does not come up; the message has the end of its log.
        """
        self.stop()
        log = self._home.logs / "emulator.log"
        for _ in range(3):  # another process may take the port between choosing and binding it
            port = free_port()
            with log.open("w") as stream:
                process = subprocess.Popen(
                    [sys.executable, "-m", MARKER],
                    cwd=ROOT,
                    env=self._environment(port),
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=stream,
                    start_new_session=True,
                )
            self._pid_file.write_text(str(process.pid))
            endpoint = f"http://127.0.0.1:{port}"
            if _comes_up(endpoint, process, seconds=60):
                return endpoint
        raise ProcessFailedError(f"The AWS emulator does not start. The end of {log}:\n{tail(log)}")

    def stop(self) -> None:
        """Stop the emulator cleanly, so that it keeps its state, and end what it started."""
        if (pid := self._pid()) is not None:
            stop_group(pid, seconds=30)
        end_leftovers(self._home.tmp)
        self._pid_file.unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Tell whether the emulator runs."""
        return self._pid() is not None

    def enforce_iam(self) -> None:
        """Check permissions from now on, as AWS does, and let the schedules fire that are enabled."""
        if (pid := self._pid()) is not None:
            os.kill(pid, signal.SIGUSR1)

    def _pid(self) -> int | None:
        try:
            pid = int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if is_running(pid, MARKER) else None

    def _environment(self, port: int) -> dict[str, str]:
        home = self._home
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **kept,
            **credentials(),
            "HOME": str(home.tmp),
            "TMPDIR": str(home.tmp),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(home.s3),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(home.aws_state),
            "SFN_WAIT_SCALE": "0.05",
            "LOCAL_LOGS": str(home.logs),
            "LOCAL_CLOCK": str(home.clock),
            "LOCAL_FIRINGS": str(home.firings),
            "LOCAL_SPARK_CONF": str(home.spark),
            "POWERTOOLS_DEV": "false",
        }


def credentials() -> dict[str, str]:
    """Return the environment that makes an AWS client use the emulator's fixed login."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def session(platform: dict[str, str]) -> boto3.Session:
    """Return a boto3 session for a running platform.

    Raises
    ------
    PlatformDownError
        When nothing answers at its endpoint.
    """
    _check_answers(platform)
    return _new_session(platform["region"])


def client(platform: dict[str, str], service: str) -> Any:
    """Return a client of one service of a running platform; it waits for long invocations and never repeats them.

    Raises
    ------
    PlatformDownError
        When nothing answers at its endpoint.
    """
    from botocore.config import Config

    _check_answers(platform)
    config = Config(read_timeout=920, retries={"total_max_attempts": 1})
    with _making:  # a session makes one client at a time
        return _shared_session(platform["region"]).client(service, endpoint_url=platform["endpoint"], config=config)


_making = threading.Lock()


@functools.cache
def _shared_session(region: str) -> boto3.Session:
    """Return the session that keeps AWS's models of services: to read them takes longer than most calls."""
    return _new_session(region)


def _new_session(region: str) -> boto3.Session:
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=region)  # noqa: S106


def _check_answers(platform: dict[str, str]) -> None:
    if not _answers(platform["endpoint"]):
        raise PlatformDownError("The platform does not run. Start it: python -m local up")


def _comes_up(endpoint: str, process: subprocess.Popen[bytes], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(endpoint):
            return True
        time.sleep(0.1)
    return False


def _answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=5) as answer:  # noqa: S310 - own endpoint
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
