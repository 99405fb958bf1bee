"""What a batch holds of a source table: its rows and its key list, every column still text."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.protocol.bucket import Bucket
from contracts.protocol.manifest import Manifest, TableExtract
from contracts.tables.source import SOURCE_TABLES
from glue_jobs.errors import IngestionDamagedError
from glue_jobs.staging.csv_parts import NUMBER, Reading
from glue_jobs.staging.frames import are_read_here, frame


def read_raw(spark: SparkSession, bucket: Bucket, manifest: Manifest, table: str) -> DataFrame:
    """Read what a batch holds of one source table, each of the contract's columns as text, each key once.

    Parameters
    ----------
    bucket
        The ingestion bucket; parts are read by their exact keys, never by listing.

    Raises
    ------
    IngestionDamagedError
        When a part is not what the manifest says: now, or when the frame is computed (`frame`).
    """
    extract = manifest.tables[table]
    source, absent = SOURCE_TABLES[table], absent_columns(manifest, table)
    names, key = [name for name in source.column_names if name not in absent], source.key
    is_joined = manifest.is_joined and bool(extract.parts)
    reading = Reading(manifest.batch, table, bucket.name, extract.columns, is_numbered=is_joined)
    rows = frame(spark, bucket, reading, extract.parts)
    if is_joined:
        newest = rows.groupBy(key).agg(F.max_by(F.struct(*names), NUMBER).alias("row"))
        rows = newest.select("row.*").join(_keys(spark, bucket, manifest, table), key, "left_semi")
    return rows.select(*[F.lit(None).cast("string").alias(c) if c in absent else F.col(c) for c in source.column_names])


def is_at_hand(manifest: Manifest, table: str) -> bool:
    """Tell whether Spark holds the rows that `read_raw` returns: to look at them again costs nothing."""
    return not manifest.is_joined and are_read_here(manifest.tables[table].parts)


def absent_columns(manifest: Manifest, table: str) -> frozenset[str]:
    """Return the contract's columns that a batch's parts do not have: it was extracted before the contract had them."""
    extract = manifest.tables[table]
    return frozenset(SOURCE_TABLES[table].column_names).difference(extract.columns)


def key_list(spark: SparkSession, bucket: Bucket, manifest: Manifest, table: str) -> DataFrame | None:
    """Return the complete list of a table's keys in the batch's snapshot, or None when the batch does not hold it.

    A table that one run read whole is its own list.
    """
    extract, key = manifest.tables[table], SOURCE_TABLES[table].key
    if extract.key_parts is not None:
        listed = _keys(spark, bucket, manifest, table)
    elif extract.read == "whole" and not manifest.is_joined:
        listed = read_raw(spark, bucket, manifest, table)
    else:
        return None
    return listed.select(F.col(key).cast("int").alias(key))


def expected_rows(manifest: Manifest, table: str) -> int | None:
    """Return how many rows `read_raw` must give, or None when only the reconciliation of keys can tell.

    The rows of each part are counted where it is read; what is told here is how many are left of them when each key is there once.
    """
    extract = manifest.tables[table]
    if not manifest.is_joined:
        return extract.rows
    return extract.source_count if extract.read == "whole" else None


def _keys(spark: SparkSession, bucket: Bucket, manifest: Manifest, table: str) -> DataFrame:
    reading = Reading(manifest.batch, table, bucket.name, (SOURCE_TABLES[table].key,))
    return frame(spark, bucket, reading, manifest.tables[table].key_parts or ())


def check_parts(bucket: Bucket, table: str, extract: TableExtract) -> None:
    """Check that every part still has the size that the manifest recorded: cheap, before anything is committed.

    Its content is verified where it is read.

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
