"""Parts as a Spark frame: few rows are read here, many by the executors; each part is verified where it is read."""

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.serializers import ArrowStreamSerializer
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import LongType, StringType, StructField, StructType

from contracts.errors import StorageError
from contracts.protocol.bucket import Bucket
from contracts.protocol.manifest import Part
from glue_jobs.staging.csv_parts import NUMBER, Reading, on_executor, record_batches

#: What is read here at most, of one table: in bytes of its parts and in rows.
HERE_BYTES, HERE_ROWS = 16 * 2**20, 20_000
#: A gzip file holds up to about this many times its bytes.
GZIP_RATIO = 8
#: How often a part is read here when S3 fails in the middle; executors have their own attempts.
ATTEMPTS = 3
#: Bytes that a partition holds at most, unless one part has more; and what a part counts beside its bytes.
PARTITION_BYTES, PART_COST = 128 * 2**20, 4 * 2**20


def frame(spark: SparkSession, bucket: Bucket, reading: Reading, parts: Sequence[Part]) -> DataFrame:
    """Return the rows of parts, every column as text.

    The digest is computed from the bytes that are parsed, so verifying costs no second read. Few rows are read now and once, many
    whenever Spark computes the frame, as often as it would read files.

    Raises
    ------
    IngestionDamagedError
        When a part is not what the manifest says; of many rows, when they are computed, as Spark's error (`explained`).
    """
    if are_read_here(parts):
        return local(spark, _schema(reading), [batch for part in parts for batch in _read(bucket, reading, part)])
    groups = _packed(parts, spark.sparkContext.defaultParallelism)
    numbers = spark.range(0, len(groups), 1, len(groups))
    return numbers.mapInArrow(functools.partial(on_executor, reading, groups), _schema(reading))


def are_read_here(parts: Sequence[Part]) -> bool:
    """Tell whether `frame` reads parts at once: Spark then holds their rows, and looks at them without a job."""
    size = sum(part.bytes * (GZIP_RATIO if part.key.endswith(".gz") else 1) for part in parts)
    return size <= HERE_BYTES and sum(part.rows for part in parts) <= HERE_ROWS


def _read(bucket: Bucket, reading: Reading, part: Part) -> list[pa.RecordBatch]:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return list(record_batches(bucket.client, reading, part))
        except StorageError:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def local(spark: SparkSession, schema: StructType, batches: Iterable[pa.RecordBatch]) -> DataFrame:
    """Hand rows to the JVM as PySpark does it with a pandas frame, without pandas: no Python worker starts."""
    jvm: Any = spark._jvm
    # One batch, also when there is no row: an empty stream would have no schema.
    columns = to_arrow_schema(schema)
    whole = pa.Table.from_batches(batches, columns).combine_chunks().to_batches() or [
        pa.RecordBatch.from_pylist([], columns)
    ]
    stream = spark.sparkContext._serialize_to_jvm(
        whole, ArrowStreamSerializer(), jvm.PythonSQLUtils.readArrowStreamFromFile, jvm.ArrowIteratorServer
    )
    return DataFrame(jvm.PythonSQLUtils.toDataFrame(stream, schema.json(), spark._jsparkSession), spark)


def _schema(reading: Reading) -> StructType:
    number = [StructField(NUMBER, LongType())] if reading.is_numbered else []
    return StructType([*[StructField(name, StringType()) for name in reading.columns], *number])


def _packed(parts: Sequence[Part], parallelism: int) -> tuple[tuple[Part, ...], ...]:
    """Put parts together to partitions as Spark does it with files: small ones share one, and every core has some."""
    total = sum(part.bytes + PART_COST for part in parts)
    limit = min(PARTITION_BYTES, max(PART_COST, total // parallelism))
    groups: list[list[Part]] = []
    size = limit
    for part in sorted(parts, key=lambda p: p.bytes, reverse=True):
        if size + part.bytes > limit or not groups:
            groups.append([])
            size = 0
        groups[-1].append(part)
        size += part.bytes + PART_COST
    return tuple(map(tuple, groups))
