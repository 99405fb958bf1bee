"""Java's names, looked up once: PySpark asks the JVM what ``functions`` is for every column of every query.

The JVM then looks for a class of that name in every imported package, and in every jar for each. A small batch asks some two
thousand times, which is a fifth of its work.
"""

from typing import Any

from pyspark.sql import SparkSession

#: What a batch asks for most, from the view of the JVM down to a member of a class.
_NAMES = (
    "functions.col",
    "functions.lit",
    "functions.expr",
    "py4j.reflection.TypeUtil.isInstanceOf",
    "org.apache.spark.storage.StorageLevel",
    "org.apache.spark.util.Utils.exceptionString",
    "ArrowIteratorServer",
    "PythonSQLUtils.readArrowStreamFromFile",
    "PythonSQLUtils.toDataFrame",
    "PythonUtils.toSeq",
)


def look_up_once(spark: SparkSession) -> SparkSession:
    """Keep what the session's JVM answers to the names that are asked for again and again; return the session."""
    for name in _NAMES:
        found: Any = spark._jvm
        for part in name.split("."):
            found.__dict__.setdefault(part, getattr(found, part))
            found = found.__dict__[part]
    return spark
