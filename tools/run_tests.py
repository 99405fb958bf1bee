"""Every test, in two processes beside each other: those of the job compute, most of the others wait.

``make test`` runs it. Each process has servers of its own; their coverage is put together at the end.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: What each process runs.
GROUPS = {
    "job": ("tests/spark",),
    "platform": ("tests/infra", "tests/unit", "tests/local", "tests/postgres"),
}
#: Branches, in per cent, that have to be covered.
COVERAGE = 90


def run_tests(arguments: list[str]) -> int:
    """Run all groups; return 0 when every test has passed and enough is covered.

    Parameters
    ----------
    arguments
        Passed on to every pytest.
    """
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    started = time.monotonic()
    processes = {name: _start(name, paths, arguments) for name, paths in GROUPS.items()}
    readers = [threading.Thread(target=_tell, args=(name, process)) for name, process in processes.items()]

    def pass_on(number: int, _: object) -> None:
        for process in processes.values():
            process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    for reader in readers:
        reader.start()
    codes = {name: process.wait() for name, process in processes.items()}
    for reader in readers:
        reader.join()
    print(
        ", ".join(f"{name}: {'passed' if code == 0 else f'FAILED ({code})'}" for name, code in codes.items()),
        flush=True,
    )
    print(f"{time.monotonic() - started:.0f} s", flush=True)
    covered = _coverage("combine", "--quiet") or _coverage("report", f"--fail-under={COVERAGE}")
    return 1 if any(codes.values()) or covered else 0


def _start(name: str, paths: tuple[str, ...], arguments: list[str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "pytest", "--cov", "--cov-report=", *arguments, *paths]
    environment = {**os.environ, "COVERAGE_FILE": str(ROOT / f".coverage.{name}"), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _tell(name: str, process: "subprocess.Popen[str]") -> None:
    """Print what a process prints, line by line, with the time and its name."""
    for line in process.stdout or ():
        print(f"{time.strftime('%H:%M:%S')} {name:8} {line}", end="", flush=True)


def _coverage(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "coverage", *arguments], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(run_tests(sys.argv[1:]))
