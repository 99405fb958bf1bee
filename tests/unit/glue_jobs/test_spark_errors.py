"""Errors of Spark as the job tells them: its own come out as they were raised, others without what they quote."""

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException

from contracts.errors import StorageError
from glue_jobs import transform
from glue_jobs.errors import IngestionDamagedError, TransformError
from glue_jobs.spark_errors import SPARK_ERRORS, explained

MESSAGE = "Batch 7, table staff: part staff/1.csv has 3 bytes, the manifest says 4. Nothing was published."
WORKER = """
  An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "glue_jobs/staging/csv_parts.py", line 1, in record_batches
{error}: {message}
"""


class Java:
    """An exception of the JVM."""

    _target_id = "o1"

    def __init__(self, text, cause=None):
        self._text, self._cause = text, cause

    def toString(self):
        return self._text

    def getCause(self):
        return self._cause


@pytest.mark.parametrize("error", [IngestionDamagedError, StorageError])
def test_g5_what_an_executor_raises_is_what_the_job_raises(error):
    text = WORKER.format(error=f"{error.__module__}.{error.__name__}", message=MESSAGE)
    cause = Java("org.apache.spark.api.python.PythonException: " + text)
    for raised in (PySparkException(text), Py4JJavaError("", Java("SparkException: Job aborted.", Java("x", cause)))):
        assert isinstance(raised, SPARK_ERRORS)
        found = explained(raised, "Table dim_staff")
        assert type(found) is error and str(found) == MESSAGE


@pytest.mark.parametrize(
    "text",
    [
        'For input string: "ann@x"',
        "The value 'ann@x' of the type",
        "Column `ann@x` is",
        'For input string: "ann@x\nann@x"',
        "aborted\nFor input string: ann@x",
        'a "b" \'c\' "ann@x',
    ],
)
def test_g12_what_spark_quotes_is_not_told(text):
    chain = Java(f"a.b.SparkException: {text}", Java("x.y.NumberFormatException: ann@x"))
    for raised in (Py4JJavaError("", chain), PySparkException(text), AnalysisException(text)):
        found = explained(raised, "Table dim_staff")
        assert type(found) is TransformError and "ann" not in str(found)
        assert str(found).startswith("Table dim_staff: ") and str(found).endswith("Nothing was published.")


def test_the_classes_of_the_error_and_of_its_causes_are_told():
    chain = Java("a.b.SparkException: Job aborted.", Java("x.y.IOException: No space", Java("x.y.OutOfMemoryError")))
    assert str(explained(Py4JJavaError("", chain), "Table dim_staff")) == (
        "Table dim_staff: a.b.SparkException: Job aborted. (because of x.y.IOException, x.y.OutOfMemoryError) Nothing was "
        "published."
    )


def test_g12_an_error_of_any_mode_is_the_jobs_own(monkeypatch):
    def fails(options):
        raise PySparkException("For input string: 'ann@x'")

    monkeypatch.setattr(transform, "_run", fails)
    arguments = ["--ingestion_bucket", "i", "--processed_bucket", "p", "--database", "d", "--mode", "replay"]
    with pytest.raises(
        TransformError, match="Mode replay: PySparkException: For input string: … Nothing was published"
    ):
        transform.main(arguments)
