"""The next Spark process, started ahead: a run of the job finds a session that is made already.

Each run has a process of its own, as in Glue; only nobody waits for its start. At most one process waits. When it has ended, or the
settings of Spark have changed since it began, the run has to wait for the start of another one.
"""

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from local.home import ROOT
from local.spark import waiting
from local.spark.jvm import DEFAULTS, spark_environment

#: Receives what the newest practice prints, among the logs.
PRACTICE_LOG = "practice.log"


@dataclass(frozen=True, slots=True)
class SparkRun:
    """What a process is to become.

    Attributes
    ----------
    script, arguments
        What is run.
    library
        Directory that it imports from.
    environment
        Its login, and what else is its own.
    """

    script: str
    arguments: list[str]
    library: Path
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Waiting:
    process: "subprocess.Popen[str]"
    log: Path
    settings: str

    def become(self, run: SparkRun, log: Path) -> None:
        """Hand a run over.

        Raises
        ------
        BrokenPipeError
            When the process has ended.
        """
        self.log.rename(log)  # the process, and its JVM, go on writing to it
        told = {
            "script": run.script,
            "arguments": run.arguments,
            "library": str(run.library),
            "environment": run.environment,
        }
        with cast("IO[str]", self.process.stdin) as stdin:
            stdin.write(f"{json.dumps(told)}\n")


class Ahead:
    """The process that waits for the next run.

    Parameters
    ----------
    settings
        Directory of Spark's settings; nothing waits before they are written.
    logs
        Receives what the processes print, a file each.
    scratch
        Working directory of the processes.
    environment
        Theirs, but for that of Spark; without a login.
    practises
        Whether the JVM of the process that waits practises.
    """

    def __init__(
        self, settings: Path, logs: Path, scratch: Path, environment: dict[str, str], *, practises: bool = True
    ) -> None:
        self._settings, self._logs, self._scratch, self._environment = settings, logs, scratch, environment
        self._practises = practises
        self._waiting: _Waiting | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Start a process, unless one waits that will do."""
        if (self._settings / DEFAULTS).exists():
            with self._lock:
                self._prepared()

    def begin(self, run: SparkRun, log: Path) -> "subprocess.Popen[str]":
        """Let the process that waits become a run; return it.

        Parameters
        ----------
        log
            Receives what the run prints.
        """
        with self._lock:
            waiting_one, self._waiting = self._prepared(), None
            try:
                waiting_one.become(run, log)
            except BrokenPipeError:  # it ended just now
                waiting_one, self._waiting = self._prepared(), None
                waiting_one.become(run, log)
        return waiting_one.process

    def _prepared(self) -> _Waiting:
        found, settings = self._waiting, (self._settings / DEFAULTS).read_text()
        if found and (found.settings != settings or found.process.poll() is not None):
            found.process.kill()
            found.log.unlink(missing_ok=True)
            found = None
        self._waiting = found or self._start(settings)
        return self._waiting

    def _start(self, settings: str) -> _Waiting:
        log = self._logs / f"transform-next-{os.urandom(4).hex()}.log"
        practice = [str(ROOT), str(self._logs / PRACTICE_LOG)] if self._practises else []
        with log.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-P", waiting.__file__, *practice],
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**self._environment, **spark_environment(self._settings)},
                cwd=self._scratch,
                text=True,
            )
        return _Waiting(process, log, settings)
