"""Starting and stopping the servers of a platform."""

import os
import signal
import socket
import time
from pathlib import Path

import psutil


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_running(pid: int | None, marker: str) -> bool:
    """Tell whether process `pid` runs and has `marker` on its command line or in its environment."""
    if pid is None:
        return False
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and any(marker in part for part in process.cmdline())
    except psutil.Error:
        return False


def stop_group(pid: int, seconds: float) -> None:
    """End a process that leads its own group: ask it first, then end all of the group that is left."""
    try:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while (
            psutil.pid_exists(pid)
            and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
            and time.monotonic() < deadline
        ):
            time.sleep(0.05)
    except (ProcessLookupError, psutil.NoSuchProcess):
        pass
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def end_leftovers(scratch: Path) -> None:
    """Kill what a killed emulator left behind: processes whose temporary directory is `scratch`."""
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("TMPDIR") == str(scratch):
                process.kill()
        except psutil.Error:
            continue


def tail(file: Path, lines: int = 15) -> str:
    """Return the last lines of a log file."""
    return "\n".join(file.read_text("utf-8", errors="replace").splitlines()[-lines:]) if file.exists() else ""
