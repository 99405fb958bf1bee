"""A Spark process that waits for a run: its session is made, and its JVM practised, before anybody knows the arguments.

`local.spark.ahead` starts it as a script, with nothing of this project on its path: what it becomes brings its own library. It
reads one line from its standard input, a `json` object of ``script``, ``arguments``, ``library`` and ``environment``, and becomes
that run. When its standard input ends without a line, whoever started it is gone, and it ends too.
"""

import contextlib
import json
import os
import runpy
import select
import sys
import tempfile
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


def main() -> None:
    """Make a session, wait, and become a run."""
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.getOrCreate()
    if "--practise" in sys.argv:
        _practise(spark)
    line = sys.stdin.readline()
    if line:
        _become(spark._jvm, json.loads(line))
        # Nothing is left to be done, and Python would take a fifth of a second to tidy up; the JVM ends with this process.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _practise(spark: "SparkSession") -> None:
    """Practise until a run is there; whatever fails here does not matter to it."""
    _log_in(spark._jvm, dict.fromkeys(LOGIN, "practice"))
    with contextlib.suppress(Exception):
        practise = runpy.run_path(str(Path(__file__).with_name("practice.py")))["practise"]
        with contextlib.closing(practise(spark, tempfile.gettempdir())) as steps:
            for _ in steps:
                if select.select([sys.stdin], [], [], 0)[0]:
                    return


def _log_in(java: Any, login: dict[str, str]) -> None:
    for name, key in LOGIN.items():
        java.java.lang.System.setProperty(key, login[name])


def _become(java: Any, run: dict[str, Any]) -> None:
    os.environ.update(run["environment"])
    _log_in(java, run["environment"])
    sys.path[:0] = [str(Path(run["script"]).parent), run["library"]]
    sys.argv = [run["script"], *run["arguments"]]
    setproctitle(" ".join([sys.executable, *sys.argv]))  # who looks for the run among the processes finds it
    runpy.run_path(run["script"], run_name="__main__")


if __name__ == "__main__":
    main()
