"""The next run's process and its JVM, started ahead: a run of the job finds a session that is made already.

Each run has a process and a session of its own, and its own login. The JVM is kept for the next run when a run ends well: only the
first runs are cold. At most one process waits, with one JVM. When either has ended, or the settings of Spark have changed since
it began, the run has to wait for the start of other ones.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from local.home import ROOT
from local.servers.processes import tail
from local.spark import kept_jvm, waiting
from local.spark.jvm import DEFAULTS, spark_environment

#: Receives what the newest practice prints, among the logs.
PRACTICE_LOG = "practice.log"
#: Receives what JVMs print while nobody uses them.
JVM_LOG = "spark.log"
#: After so many runs a JVM ends: some of what Spark and AWS's clients hold they never give back.
RUNS = 100


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


@dataclass(slots=True)
class _Jvm:
    """A JVM, by the process that keeps it; and what that one printed."""

    keeper: "subprocess.Popen[str]"
    settings: str
    gateway: str = ""
    runs: int = 0

    def is_usable(self, settings: str) -> bool:
        return self.settings == settings and self.keeper.poll() is None and self.runs < RUNS

    def end(self) -> None:
        self.keeper.communicate()  # which closes its standard input


@dataclass(frozen=True, slots=True)
class _Waiting:
    process: "subprocess.Popen[str]"
    log: Path
    jvm: _Jvm

    def is_usable(self, settings: str) -> bool:
        return self.process.poll() is None and self.jvm.is_usable(settings)

    def become(self, run: SparkRun, log: Path) -> None:
        """Hand a run over.

        Raises
        ------
        BrokenPipeError
            When the process has ended.
        """
        self.log.rename(log)  # the process goes on writing to it
        told = {
            "script": run.script,
            "arguments": run.arguments,
            "library": str(run.library),
            "environment": run.environment,
            "log": str(log),
        }
        with cast("IO[str]", self.process.stdin) as stdin:
            stdin.write(f"{json.dumps(told)}\n")

    def end(self) -> None:
        """End the process and its JVM; its log goes unless it became a run's."""
        self.process.kill()
        self.process.wait()
        self.jvm.end()
        self.log.unlink(missing_ok=True)


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
        self._jvm: _Jvm | None = None  # one that nobody uses
        self._running = 0
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Start a process, unless one waits that will do, or a run goes on, whose JVM will be kept."""
        with self._lock, contextlib.suppress(OSError):  # whoever has a run will be told
            if (self._settings / DEFAULTS).exists() and not self._running:
                self._waiting = self._prepared()

    @contextlib.contextmanager
    def running(self, run: SparkRun, log: Path) -> Iterator["subprocess.Popen[str]"]:
        """Let the process that waits become a run; in the end, kill what is left of it.

        Parameters
        ----------
        log
            Receives what the run prints.

        Raises
        ------
        OSError
            When Spark does not start.
        """
        with self._lock:
            begun = self._begun(run, log)
            self._running += 1
        try:
            yield begun.process
        finally:
            self._over(begun)

    def _begun(self, run: SparkRun, log: Path) -> _Waiting:
        for _ in range(2):
            found, self._waiting = self._prepared(), None
            try:
                found.become(run, log)
            except BrokenPipeError:  # it ended just now
                found.end()
                log.unlink()
            else:
                return found
        raise OSError("Spark's process ends as soon as it has started.")

    def _over(self, ended: _Waiting) -> None:
        """Keep the JVM of a run that ended well; that of another one could still be at work."""
        with self._lock:
            self._running -= 1
            ended.jvm.runs += 1
            if ended.process.poll() == 0 and self._jvm is None and self._waiting is None:
                self._jvm = ended.jvm
            else:
                ended.end()

    def _prepared(self) -> _Waiting:
        settings = (self._settings / DEFAULTS).read_text()
        found, self._waiting = self._waiting, None
        if found and found.is_usable(settings):
            return found
        if found:
            found.end()
        jvm, self._jvm = self._jvm, None
        if jvm and not jvm.is_usable(settings):
            jvm.end()
            jvm = None
        return self._start(jvm or self._start_jvm(settings))

    def _start(self, jvm: _Jvm) -> _Waiting:
        log = self._logs / f"transform-next-{os.urandom(4).hex()}.log"
        practice = [str(ROOT), str(self._logs / PRACTICE_LOG)] if self._practises else []
        with log.open("a") as stream:  # the JVM appends to it too
            process = self._process(waiting.__file__, *practice, stdout=stream, stderr=stream)
        found = _Waiting(process, log, jvm)
        stdin, keeper_prints = cast("IO[str]", process.stdin), cast("IO[str]", jvm.keeper.stdout)
        jvm.gateway = jvm.gateway or keeper_prints.readline()
        if not jvm.gateway:
            found.end()
            raise OSError(f"Spark does not start. The end of {JVM_LOG}:\n{tail(self._logs / JVM_LOG, 40)}")
        with contextlib.suppress(BrokenPipeError):  # a process that has ended is noticed when it is needed
            stdin.write(jvm.gateway)
            stdin.flush()
        return found

    def _start_jvm(self, settings: str) -> _Jvm:
        with (self._logs / JVM_LOG).open("a") as stream:
            return _Jvm(self._process(kept_jvm.__file__, stdout=subprocess.PIPE, stderr=stream), settings)

    def _process(self, *command: str, stdout: int | IO[str], stderr: IO[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-P", *command],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            env={**self._environment, **spark_environment(self._settings)},
            cwd=self._scratch,
            text=True,
        )
