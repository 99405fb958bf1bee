"""Reading a batch's CSV parts exactly as PostgreSQL wrote them: every column still text.

COPY writes NULL as an unquoted empty field and the empty string as a quoted one. Spark's parser
keeps the two apart when its null marker cannot occur in the data: PostgreSQL text never holds NUL.
"""

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from contracts.batch import Manifest, Part, TableExtract
from contracts.source import SOURCE_TABLES
from contracts.store import Bucket
from glue_jobs.errors import IngestionDamagedError

NULL_MARKER = "\x00"
CSV_OPTIONS = {
    "header": "true",
    "enforceSchema": "false",  # a header that differs from the manifest's columns fails the read
    "quote": '"',
    "escape": '"',
    "multiLine": "true",
    "lineSep": "\n",
    "encoding": "UTF-8",
    "nullValue": NULL_MARKER,
    "emptyValue": "",
    "mode": "FAILFAST",
}


def read_raw(spark: SparkSession, bucket: str, manifest: Manifest, table: str) -> DataFrame:
    """Read what a batch holds of one source table, each of the contract's columns as text, each key once.

    Parameters
    ----------
    bucket
        The ingestion bucket; parts are read by their exact keys, never by listing.
    """
    extract = manifest.tables[table]
    rows = _read(spark, bucket, extract.parts, extract.columns)
    names, key = SOURCE_TABLES[table].column_names, SOURCE_TABLES[table].key
    if not manifest.is_joined or not extract.parts:
        return rows.select(*names)
    number = F.substring_index("_metadata.file_name", "-", 1).cast("long")
    newest = rows.groupBy(key).agg(F.max_by(F.struct(*names), number).alias("row"))
    listed = _read(spark, bucket, extract.key_parts or (), (key,))
    return newest.select("row.*").join(listed, key, "left_semi").select(*names)


def key_list(spark: SparkSession, bucket: str, manifest: Manifest, table: str) -> DataFrame | None:
    """Return the complete list of a table's keys in the batch's snapshot, or None when the batch does not hold it.

    A table that one run read whole is its own list.
    """
    extract, key = manifest.tables[table], SOURCE_TABLES[table].key
    if extract.key_parts is not None:
        listed = _read(spark, bucket, extract.key_parts, (key,))
    elif extract.read == "whole" and not manifest.is_joined:
        listed = _read(spark, bucket, extract.parts, extract.columns)
    else:
        return None
    return listed.select(F.col(key).cast("int").alias(key))


def expected_rows(spark: SparkSession, bucket: str, manifest: Manifest, table: str) -> int | None:
    """Return how many rows `read_raw` must give, or None when only the reconciliation of keys can tell.

    Raises
    ------
    IngestionDamagedError
        When it cannot be told and the parts do not hold the rows that the manifests say.
    """
    extract = manifest.tables[table]
    if not manifest.is_joined:
        return extract.rows
    if extract.read == "whole":
        return extract.source_count
    found = _read(spark, bucket, extract.parts, extract.columns).count()
    if found != extract.rows:
        raise IngestionDamagedError(
            f"Batch {manifest.batch}, table {table}: its parts hold {found} rows, the manifests say {extract.rows}. "
            f"Nothing was published."
        )
    return None


def _read(spark: SparkSession, bucket: str, parts: Sequence[Part], columns: Sequence[str]) -> DataFrame:
    schema = StructType([StructField(name, StringType()) for name in columns])
    if not parts:
        return spark.createDataFrame([], schema)
    paths = [f"s3://{bucket}/{part.key}" for part in parts]
    return spark.read.schema(schema).options(**CSV_OPTIONS).csv(paths)


def check_parts(bucket: Bucket, table: str, extract: TableExtract) -> None:
    """Check that every part still has the size that the manifest recorded.

    Raises
    ------
    IngestionDamagedError
        Naming the part; nothing has been transformed.
    """
    for part in (*extract.parts, *(extract.key_parts or ())):
        size = bucket.size(part.key)
        if size != part.bytes:
            found = "is missing" if size is None else f"has {size} bytes"
            raise IngestionDamagedError(
                f"Table {table}: part {part.key} {found}, the manifest says {part.bytes} bytes. Restore the object's "
                f"original version; nothing of the batch was published and the next run goes on."
            )


def check_received(manifest: Manifest, table: str, received: int, expected: int | None) -> None:
    """Check that as many rows were read as the manifest says, where it can tell.

    Raises
    ------
    IngestionDamagedError
        Naming the table; nothing was published.
    """
    if expected not in (None, received):
        raise IngestionDamagedError(
            f"Batch {manifest.batch}, table {table}: {received} rows were read, the manifest says {expected}. Nothing was "
            f"published. Restore the parts that it names from their previous versions; the next run goes on."
        )
