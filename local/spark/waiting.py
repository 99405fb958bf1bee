"""A Spark process that waits for a run: its session is made, and its JVM practised, before anybody knows the arguments.

`local.spark.ahead` starts it as a script, with nothing of this project on its path: what it becomes brings its own library. It
reads one line from its standard input, a `json` object of ``script``, ``arguments``, ``library`` and ``environment``, and becomes
that run. When its standard input ends without a line, whoever started it is gone, and it ends too.
"""

import contextlib
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setproctitle import setproctitle

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: By which names Java's AWS clients look for a login before they look into the environment, which a JVM keeps as it started.
LOGIN = {
    "AWS_ACCESS_KEY_ID": "aws.accessKeyId",
    "AWS_SECRET_ACCESS_KEY": "aws.secretAccessKey",
    "AWS_SESSION_TOKEN": "aws.sessionToken",
}
#: Login of the practice: the emulator takes twelve digits for an account.
_PRACTICE = {"AWS_ACCESS_KEY_ID": "000000000002", "AWS_SECRET_ACCESS_KEY": "practice", "AWS_SESSION_TOKEN": "practice"}


def main() -> None:
    """Make a session, wait, and become a run.

    Arguments, where the JVM is to practise: the directory of this project, and the file that receives what the practice prints.
    """
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.getOrCreate()
    with _practice(spark, *sys.argv[1:]):
        import boto3  # so that the run finds it, and AWS's models of its services, read

        boto3.session.Session("none", "none").client("s3")
        line = sys.stdin.readline()
    if line:
        _become(spark, json.loads(line))
        # Nothing is left to be done, and Python would take a fifth of a second to tidy up; the JVM ends with this process.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


@contextlib.contextmanager
def _practice(spark: "SparkSession", directory: str = "", log: str = "") -> Iterator[None]:
    """Let another process use the JVM meanwhile; whatever fails there does not matter to the run."""
    if not directory:
        yield
        return
    java: Any = spark._jvm
    _log_in(java, _PRACTICE)
    gateway: Any = spark.sparkContext._gateway
    parameters = gateway.gateway_parameters
    shared = {"PYSPARK_GATEWAY_PORT": str(parameters.port), "PYSPARK_GATEWAY_SECRET": parameters.auth_token}
    process = None
    with contextlib.suppress(OSError), Path(log).open("w") as stream:  # the disk may be full
        process = subprocess.Popen(
            [sys.executable, "-m", "local.spark.practice"],
            cwd=directory,
            env={**os.environ, **_PRACTICE, **shared},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    try:
        yield
    finally:
        if process:
            process.kill()
            process.wait()
            spark.sparkContext.cancelAllJobs()
            java.SparkSession.setDefaultSession(spark._jsparkSession)


def _log_in(java: Any, login: dict[str, str]) -> None:
    for name, key in LOGIN.items():
        java.java.lang.System.setProperty(key, login[name])


def _become(spark: "SparkSession", run: dict[str, Any]) -> None:
    os.environ.update(run["environment"])
    _log_in(spark._jvm, run["environment"])
    sys.path[:0] = [str(Path(run["script"]).parent), run["library"]]
    sys.argv = [run["script"], *run["arguments"]]
    setproctitle(" ".join([sys.executable, *sys.argv]))  # who looks for the run among the processes finds it
    runpy.run_path(run["script"], run_name="__main__")


if __name__ == "__main__":
    main()
