"""How a process starts Spark's JVM on a laptop: with which settings, and with which archive of classes."""

import hashlib
import shlex
import sys
from pathlib import Path

from local.home import CACHE
from local.servers.tools import java_home
from local.spark.class_path import class_path, spark_home

#: Where `local.spark.settings.write_spark_defaults` writes settings.
DEFAULTS = "spark-defaults.conf"


def spark_environment(directory: Path) -> dict[str, str]:
    """Return the environment in which a process starts Spark with the settings that were written to `directory`.

    It is not named as ``SPARK_CONF_DIR``: that would be on the class path, and a directory there keeps the JVM from its
    archive of classes.
    """
    archive = class_archive()
    return {
        "JAVA_HOME": str(java_home()),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_CONF_DIR": str(spark_home() / "conf"),
        "PYSPARK_SUBMIT_ARGS": f"--properties-file {shlex.quote(str(directory / DEFAULTS))} pyspark-shell",
        "SPARK_SUBMIT_OPTS": f"-XX:SharedArchiveFile={shlex.quote(str(archive))}" if archive.exists() else "",
    }


def class_archive() -> Path:
    """Return where the JVM's archive of the classes of Spark and Iceberg lies, if `local.spark.class_archive` has made it.

    One archive is for one JVM and one class path; the JVM itself checks both.
    """
    java = java_home()
    parts = [java, (java / "bin" / "java").stat().st_mtime_ns, spark_home(), *class_path()[0]]
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
    return CACHE / "classes" / f"{digest[:16]}.jsa"
