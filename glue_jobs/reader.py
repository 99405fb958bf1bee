"""Reading a batch's CSV parts exactly as PostgreSQL wrote them: every column still text.

COPY writes NULL as an unquoted empty field and the empty string as a quoted one. Spark's parser
keeps the two apart when its null marker cannot occur in the data: PostgreSQL text never holds NUL.
"""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StringType, StructField, StructType

from contracts.batch import TableExtract
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


def read_raw(spark: SparkSession, bucket: str, extract: TableExtract) -> DataFrame:
    """Read the parts of one table, each column as text.

    Parameters
    ----------
    bucket
        The ingestion bucket; parts are read by their exact keys, never by listing.
    extract
        The table's entry in the manifest.
    """
    schema = StructType([StructField(name, StringType()) for name in extract.columns])
    if not extract.parts:
        return spark.createDataFrame([], schema)
    paths = [f"s3://{bucket}/{part.key}" for part in extract.parts]
    return spark.read.schema(schema).options(**CSV_OPTIONS).csv(paths)


def check_parts(bucket: Bucket, table: str, extract: TableExtract) -> None:
    """Check that every part still has the size that the manifest recorded.

    Raises
    ------
    IngestionDamagedError
        Naming the part; nothing has been transformed.
    """
    for part in extract.parts:
        size = bucket.size(part.key)
        if size != part.bytes:
            found = "is missing" if size is None else f"has {size} bytes"
            raise IngestionDamagedError(
                f"Table {table}: part {part.key} {found}, the manifest says {part.bytes} bytes. Restore the object's "
                f"original version; nothing of the batch was published and the next run goes on."
            )
