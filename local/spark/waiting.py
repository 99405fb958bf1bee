"""A process that waits for a run: it has a Spark session, in a JVM that has practised, before anybody knows the arguments.

`local.spark.ahead` starts it as a script, with nothing of this project on its path: what it becomes brings its own library. It
reads two lines from its standard input: what `local.spark.kept_jvm` printed, and later a `json` object of ``script``,
``arguments``, ``library``, ``environment`` and ``log``; and becomes that run. When its standard input ends without such a line,
whoever started it is gone, and it ends too.
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
#: Property of a JVM that need not practise any more.
PRACTISED = "totesys.practised"
#: Login of the practice: the emulator takes twelve digits for an account.
_PRACTICE = {"AWS_ACCESS_KEY_ID": "000000000002", "AWS_SECRET_ACCESS_KEY": "practice", "AWS_SESSION_TOKEN": "practice"}
#: What Py4J itself has in the JVM, by its names there.
_OF_PY4J = ("t", "j", "GATEWAY_SERVER")


def main() -> None:
    """Make a session, wait, and become a run.

    Arguments, where the JVM is to practise: the directory of this project, and the file that receives what the practice prints.
    """
    import boto3  # so that the run finds it, and AWS's models of its services, read
    import pyspark.sql  # noqa: F401  (as long as the JVM has not started yet, there is time)
    from pyspark.java_gateway import launch_gateway

    if not (told := sys.stdin.readline()):
        return
    jvm = json.loads(told)
    os.environ |= {"PYSPARK_GATEWAY_PORT": str(jvm["port"]), "PYSPARK_GATEWAY_SECRET": jvm["secret"]}
    gateway: Any = launch_gateway()  # type: ignore[no-untyped-call]
    _forget_earlier_runs(gateway)
    spark = session_in(gateway)
    with _practice(spark, *sys.argv[1:]):
        boto3.session.Session("none", "none").client("s3")
        line = sys.stdin.readline()
    if line:
        _become(spark, json.loads(line))
        # Nothing is left to be done, and Python would take a fifth of a second to tidy up.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def session_in(gateway: Any) -> "SparkSession":
    """Make a session in a JVM that has Spark: its settings, catalog and views are its own."""
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

    session = gateway.jvm.SparkSession.getDefaultSession().get()
    shared = gateway.jvm.org.apache.spark.api.java.JavaSparkContext.fromSparkContext(session.sparkContext())
    context = SparkContext(conf=SparkConf(_jconf=shared.getConf()), gateway=gateway, jsc=shared)
    return SparkSession(context, session.newSession())


def _forget_earlier_runs(gateway: Any) -> None:
    """Let the JVM forget login, log and objects of runs, which have ended without a word to it, and give memory back."""
    java = gateway.jvm.java
    system = java.lang.System
    for name in LOGIN.values():
        system.clearProperty(name)
    system.setErr(java.io.PrintStream(java.io.FileOutputStream(java.io.FileDescriptor.err), True))
    gateway.java_gateway_server.getGateway().getBindings().keySet().retainAll(_OF_PY4J)
    system.gc()


@contextlib.contextmanager
def _practice(spark: "SparkSession", directory: str = "", log: str = "") -> Iterator[None]:
    """Let another process use the JVM meanwhile, unless it has practised; whatever fails there does not matter to the run."""
    java: Any = spark._jvm
    if not directory or java.java.lang.System.getProperty(PRACTISED):
        yield
        return
    _log_in(java, _PRACTICE)
    process = None
    with contextlib.suppress(OSError), Path(log).open("w") as stream:  # the disk may be full
        process = subprocess.Popen(
            [sys.executable, "-m", "local.spark.practice"],
            cwd=directory,
            env={**os.environ, **_PRACTICE},
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


def _log_in(java: Any, login: dict[str, str]) -> None:
    for name, key in LOGIN.items():
        java.java.lang.System.setProperty(key, login[name])


def _become(spark: "SparkSession", run: dict[str, Any]) -> None:
    os.environ.update(run["environment"])
    java: Any = spark._jvm
    _log_in(java, run["environment"])
    printed = java.java.io.PrintStream(java.java.io.FileOutputStream(run["log"], True), True)
    java.java.lang.System.setErr(printed)
    java.SparkSession.setDefaultSession(spark._jsparkSession)
    sys.path[:0] = [str(Path(run["script"]).parent), run["library"]]
    sys.argv = [run["script"], *run["arguments"]]
    setproctitle(" ".join([sys.executable, *sys.argv]))  # who looks for the run among the processes finds it
    runpy.run_path(run["script"], run_name="__main__")


if __name__ == "__main__":
    main()
