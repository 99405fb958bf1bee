"""The log of a function's invocation: all that its process had printed when it answered."""

import subprocess
import sys
import threading
from queue import Queue

import pytest

from local.emulator import function_logs

PROCESS = """
import sys
for number in sys.stdin:
    for line in range(3):
        print(f"é {number.strip()}.{line}", file=sys.stderr, flush=True)
    print("done", flush=True)
print("no end of line", end="", file=sys.stderr)
"""


class Worker:
    """What the emulator knows of a function's process."""

    def __init__(self):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self._proc = subprocess.Popen([sys.executable, "-X", "utf8", "-c", PROCESS], text=True, **pipes)
        self._stderr_queue, self.rest = Queue(), b""
        self._stderr_thread = threading.Thread(target=function_logs.read, args=(self,), daemon=True)

    def invoke(self, number):
        self._proc.stdin.write(f"{number}\n")
        self._proc.stdin.flush()
        assert self._proc.stdout.readline() == "done\n"
        return function_logs.log_so_far(self)


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    if worker._proc:
        worker._proc.kill()
        worker._proc.wait()


@pytest.mark.parametrize("is_read", [True, False], ids=["read meanwhile", "its reader is late"])
def test_all_that_was_printed_is_in_the_log_when_the_function_answers(worker, is_read):
    if is_read:
        worker._stderr_thread.start()
    for number in range(200):
        assert worker.invoke(number) == "\n".join(f"é {number}.{line}" for line in range(3))


def test_the_last_words_of_a_process_that_was_ended_are_in_the_log(worker):
    worker._stderr_thread.start()
    worker.invoke(1)
    worker._proc.stdin.close()
    worker._proc.wait(timeout=10)
    worker._proc = None
    assert function_logs.log_so_far(worker) == "no end of line"


def test_every_way_in_which_an_invocation_ends_has_its_log(monkeypatch):
    """Also the way of one that takes too long, for which the emulator has a function of its own."""
    from ministack.core import lambda_runtime

    monkeypatch.setattr(lambda_runtime, "Worker", type("Worker", (), {}))
    function_logs.install()
    ways = lambda_runtime.Worker
    assert ways._drain_stderr is ways._drain_stderr_bounded is function_logs.log_so_far
