"""What is on the class path of Spark's JVM before Spark itself: Iceberg, and Hadoop's defaults without their descriptions."""

import os
import re
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

from local.errors import ToolMissingError
from local.home import CACHE
from local.servers.tools import iceberg_jars

_NEEDLESS = re.compile(rb"<!--.*?-->|<description>.*?</description>|(?<=>)\s+(?=<(?!/value>))", re.DOTALL)


def class_path() -> tuple[list[str], str]:
    """Return the jars, and the prefix under which Iceberg's classes are found."""
    jars, prefix = iceberg_jars()
    return [str(_terse_defaults()), *jars], prefix


def spark_home() -> Path:
    """Return the directory of PySpark.

    Raises
    ------
    ToolMissingError
        When it is not installed.
    """
    spec = find_spec("pyspark")  # not imported: that takes longer than what is asked for
    if spec is None or spec.origin is None:
        raise ToolMissingError("PySpark is not installed: make setup")
    return Path(spec.origin).parent


def _terse_defaults() -> Path:
    """Return the jar of Hadoop's default settings, made where it is not there.

    Iceberg reads them anew for each file that it writes. Three quarters of them are descriptions.
    """
    (hadoop,) = (spark_home() / "jars").glob("hadoop-client-api-*.jar")
    jar = CACHE / "jars" / f"terse-{hadoop.name}"
    if not jar.exists():
        jar.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=jar.parent) as scratch:
            made = Path(scratch) / jar.name
            with zipfile.ZipFile(hadoop) as whole, zipfile.ZipFile(made, "w") as terse:
                for name in whole.namelist():
                    if re.fullmatch(r"\w+-default\.xml", name):
                        terse.writestr(name, _NEEDLESS.sub(b"", whole.read(name)))
            os.replace(made, jar)
    return jar
