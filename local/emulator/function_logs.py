"""What the emulator's Lambda loses: the log of an invocation is all that the function had printed when it answered.

It takes what has come when nothing more came for five milliseconds, and waits for that. On a busy machine the rest comes later, and
a metric in it is seen when the function is invoked the next time.
"""

import os
import queue
import select
import threading
from typing import IO, Any

#: Lines are either in the pipe or in the queue: nobody has some in hand.
_LOCK = threading.Lock()


def install() -> None:
    """Read the pipe of a function's process to its end when it has answered."""
    from ministack.core.lambda_runtime import Worker

    Worker._read_stderr, Worker.rest = read, b""
    Worker._drain_stderr = Worker._drain_stderr_bounded = log_so_far  # the first is for what took too long


def read(worker: Any) -> None:
    """Read as long as the process prints, so that it never waits for a reader; in a thread of its own."""
    pipe, lines = worker._proc.stderr, worker._stderr_queue
    worker.rest = b""
    while True:
        _wait(pipe, None)
        if not _take(worker, pipe, lines):
            return


def log_so_far(worker: Any) -> str:
    """Return what the process has printed since the last time."""
    lines: queue.Queue[str] = worker._stderr_queue
    if worker._proc is None:  # it was ended, for its error or its time
        worker._stderr_thread.join(timeout=1)
    else:
        _take(worker, worker._proc.stderr, lines)
    return "\n".join(lines.get() for _ in range(lines.qsize()))


def _take(worker: Any, pipe: IO[str], lines: "queue.Queue[str]") -> bool:
    """Move what is in the pipe to the queue, line by line; return whether there can be more."""
    with _LOCK:
        while _wait(pipe, 0):
            found = os.read(pipe.fileno(), 2**16)
            *whole, worker.rest = (worker.rest + found).split(b"\n")
            if not found and worker.rest:
                whole.append(worker.rest)
            for line in whole:
                lines.put(line.decode(errors="replace"))
            if not found:
                return False
    return True


def _wait(pipe: IO[str], milliseconds: int | None) -> bool:
    """Wait until there is something in the pipe, or it has ended; return whether that is so."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(milliseconds))
