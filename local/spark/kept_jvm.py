"""A JVM with Spark, kept from run to run: runs, which have processes and sessions of their own, use it one after another.

`local.spark.ahead` starts it as a script. It prints one line, a `json` object of ``port`` and ``secret``, with which Python
reaches the JVM. When its standard input ends, whoever started it is gone or needs it no longer: it ends the JVM. When the JVM
ends, it ends too.
"""

import json
import os
import subprocess
import sys
import threading
from typing import IO, Any, cast

from pyspark import SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

#: How long a JVM may take to end.
SECONDS = 10


def main() -> None:
    """Start the JVM, and wait for its end."""
    gateway: Any = launch_gateway(popen_kwargs={"stdout": sys.stderr})  # type: ignore[no-untyped-call]
    threading.Thread(target=_end_with_stdin, args=(gateway.proc,), daemon=True).start()
    SparkSession(SparkContext(gateway=gateway))
    parameters = gateway.gateway_parameters
    print(json.dumps({"port": parameters.port, "secret": parameters.auth_token}), flush=True)
    gateway.proc.wait()
    os._exit(1)  # at once: who looks for a JVM takes this process for it


def _end_with_stdin(java: "subprocess.Popen[bytes]") -> None:
    sys.stdin.read()
    cast("IO[bytes]", java.stdin).close()  # it stops what it does, and removes its files
    try:
        java.wait(SECONDS)
    except subprocess.TimeoutExpired:
        java.kill()


if __name__ == "__main__":
    main()
