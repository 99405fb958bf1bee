"""Errors of Spark, told without the data that they quote."""

import re
from collections.abc import Iterator
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from contracts.errors import StorageError
from glue_jobs.errors import IngestionDamagedError, TransformError

#: What Spark raises in Python; some of its errors it turns into exceptions of its own.
SPARK_ERRORS = (Py4JJavaError, PySparkException)
#: Errors that an executor raises while it reads a part, as they are named in a worker's stack trace.
_OWN = {f"{error.__module__}.{error.__qualname__}": error for error in (IngestionDamagedError, StorageError)}
_RAISED = re.compile(rf"^({'|'.join(map(re.escape, _OWN))}): (.+)$", re.MULTILINE)
#: Quoted text, also when its end is on another line. What is quoted may be data.
_QUOTED = re.compile(r"""(["'`]).*?(\1|$)""")


def explained(error: Exception, what: str) -> Exception:
    """Turn an error of Spark into the job's own: to be raised ``from None``, because Spark's text may have data.

    Parameters
    ----------
    error
        One of `SPARK_ERRORS`.
    what
        What was being worked on: ``Table payment``.

    Returns
    -------
    Exception
        The `IngestionDamagedError` or `StorageError` that an executor raised; otherwise a `TransformError` with the classes
        of the error and its causes, and the first line of its message without what is quoted there.
    """
    described = [*_described(error)]
    for text in described:
        if found := _RAISED.search(text):
            return _OWN[found[1]](found[2])
    first = _QUOTED.sub("…", described[0].partition("\n")[0])
    causes = dict.fromkeys(re.split(r"[:\s]", text, maxsplit=1)[0] for text in described[1:])
    because = f" (because of {', '.join(causes)})" if causes else ""
    return TransformError(f"{what}: {first}{because} Nothing was published.")


def _described(error: Exception) -> Iterator[str]:
    """Describe the error and each of its causes: its class and its message."""
    if isinstance(error, Py4JJavaError):
        cause: Any = error.java_exception
        while cause is not None:
            yield str(cause.toString())
            cause = cause.getCause()
    else:
        yield f"{type(error).__name__}: {str(error).strip()}"
