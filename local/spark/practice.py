"""What a Spark process does before its run is known: made-up rows, treated as a small batch is.

A JVM that has never planned a query or written a file loads some thousands of classes for its first one, and interprets them. All
of that is done here, with a lake in a scratch directory; nothing of it stays.
"""

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.serializers import ArrowStreamSerializer
from pyspark.sql.types import StringType, StructField, StructType

_KIND = "org.apache.iceberg.spark.SparkCatalog"
_CATALOG = "practice"
_OBJECT = "s3://practice/practice"
_COLUMNS = ("id", "created_at", "paid", "amount", "day", "note")
_ROWS = 40
#: The job compiles no plans of small batches.
_INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
#: Two tables, as facts and as dimensions are kept: how they are partitioned.
_TABLES = {"fact": "months(day)", "dimension": "truncate(1000, id)"}


def practise(spark: SparkSession, scratch: str) -> Iterator[None]:
    """Write, read and look up rows of a lake in `scratch`, a step at a time; call what is called of AWS, which refuses it.

    The session has some login, of nobody.
    """
    boto3.session.Session("practice", "practice").client("s3")  # reads AWS's models of its services
    configured = dict(spark.sparkContext.getConf().getAll())
    for name, value in _INTERPRETED.items():
        spark.conf.set(name, value)
    try:
        for catalog, kind in configured.items():
            if kind.endswith(_KIND):
                yield from _practise_catalog(spark, catalog, kind, scratch)
    finally:
        for name in _INTERPRETED:
            spark.conf.unset(name)


def _practise_catalog(spark: SparkSession, catalog: str, kind: str, scratch: str) -> Iterator[None]:
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        yield from _practise_lake(spark, kind, Path(directory))
    with contextlib.suppress(PySparkException, Py4JJavaError):
        spark.catalog.tableExists(f"{catalog.rpartition('.')[2]}.{_CATALOG}.{_CATALOG}")
    yield
    configured = dict(spark.sparkContext.getConf().getAll())
    settings = {k.removeprefix(f"{catalog}."): v for k, v in configured.items() if k.startswith(f"{catalog}.")}
    _practise_objects(spark, kind.removesuffix(_KIND), settings)
    yield


def _practise_lake(spark: SparkSession, kind: str, directory: Path) -> Iterator[None]:
    settings = {
        "": kind,
        ".type": "hadoop",
        ".warehouse": directory.as_uri(),
        ".hadoop.fs.file.impl": "org.apache.hadoop.fs.LocalFileSystem",
        ".hadoop.fs.file.impl.disable.cache": "true",
    }
    for key, value in settings.items():
        spark.conf.set(f"spark.sql.catalog.{_CATALOG}{key}", value)
    for table, partitioning in _TABLES.items():
        whole = f"{_CATALOG}.lake.{table}"
        spark.sql(
            f"create table {whole} (id int, paid boolean, amount decimal(10, 2), day date, moment string, note string, "
            f"batch_id int, row_hash string) using iceberg partitioned by ({partitioning}) "
            f"tblproperties ('write.parquet.compression-codec' = 'zstd', 'write.distribution-mode' = 'none')"
        )
        for batch in (1, 2, 3):
            yield
            _practise_batch(spark, whole, batch)
    fact, dimension = (spark.table(f"{_CATALOG}.lake.{table}") for table in _TABLES)
    fact.join(dimension, "id", "left").collect()


def _practise_objects(spark: SparkSession, prefix: str, settings: dict[str, str]) -> None:
    """Ask S3 for an object, and write one."""
    java: Any = spark._jvm
    io = functools.reduce(getattr, f"{prefix}org.apache.iceberg.aws.s3.S3FileIO".split("."), java)()
    try:
        io.initialize(settings)
        with contextlib.suppress(Py4JJavaError):
            io.newInputFile(_OBJECT).exists()
        with contextlib.suppress(Py4JJavaError):
            stream = io.newOutputFile(_OBJECT).createOrOverwrite()
            stream.write(0)
            stream.close()
    finally:
        io.close()


def _practise_batch(spark: SparkSession, table: str, batch: int) -> None:
    raw = _frame(spark).selectExpr(
        "*", "case when id is null then 1 when paid not in ('t', 'f') then 2 else 0 end as problem"
    )
    rows = raw.selectExpr(
        "cast(id as int) as id",
        "paid = 't' as paid",
        "cast(amount as decimal(10, 2)) as amount",
        "cast(day as date) as day",
        "concat(cast(substr(cast(created_at as binary), 12, 8) as string), '.', rpad(substr(created_at, 21, 3), 3, '0')) as moment",
        "note",
        "problem",
    ).selectExpr(
        *(f"if(problem = 0, `{name}`, null) as `{name}`" for name in ("id", "paid", "amount", "day", "moment", "note")),
        f"{batch} as batch_id",
        "sha2(concat(if(note is null, 'n', 'v'), coalesce(cast(amount as string), ''), unix_date(day)), 256) as row_hash",
    )
    keys = ", ".join(str(row["id"]) for row in rows.collect())
    known = spark.table(table).where(f"id in ({keys})").where(F.col("batch_id") <= batch)
    known.groupBy("id").agg(*[F.max_by(name, "batch_id").alias(name) for name in ("row_hash", "batch_id")]).collect()
    spark.table(table).agg(F.count("*"), F.sum("amount"), F.max("id")).collect()
    new = rows.where(f"id in ({keys})").coalesce(1)
    writer = new.writeTo(table).option("fanout-enabled", "true")
    writer.option("snapshot-property.batch-id", str(batch)).overwrite(F.col("batch_id") == F.lit(batch))
    others = spark.table(table).where(f"id between 0 and 999 and id not in ({keys})")
    others.unionByName(new).writeTo(table).overwritePartitions()


def _frame(spark: SparkSession) -> DataFrame:
    """Return rows of text, handed to the JVM as the job hands over what it reads itself."""
    texts = [
        [str(n), f"2026-01-{n % 28 + 1:02} 10:00:00.123", "t", f"{n}.50", f"2026-01-{n % 28 + 1:02}", f"note {n}"]
        for n in range(_ROWS)
    ]
    batch = pa.RecordBatch.from_arrays([pa.array(column) for column in zip(*texts, strict=True)], names=list(_COLUMNS))
    java: Any = spark._jvm
    stream = spark.sparkContext._serialize_to_jvm(
        [batch], ArrowStreamSerializer(), java.PythonSQLUtils.readArrowStreamFromFile, java.ArrowIteratorServer
    )
    schema = StructType([StructField(name, StringType()) for name in _COLUMNS])
    return DataFrame(java.PythonSQLUtils.toDataFrame(stream, schema.json(), spark._jsparkSession), spark)
