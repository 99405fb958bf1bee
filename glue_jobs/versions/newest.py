"""The newest version of every key that is current."""

from collections.abc import Collection

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.tables.lake import SOURCE_DELETION
from contracts.tables.table import StarTable
from glue_jobs.context import Batch
from glue_jobs.lake.pruning import among


def newest_versions(batch: Batch, table: StarTable, *, before: bool, keys: Collection[int] | None = None) -> DataFrame:
    """Return key, ``row_hash`` and ``batch_id`` of the newest version of every key that is current.

    Parameters
    ----------
    before
        Whether to leave out what this batch has written. (Of a dimension that it has changed, only the present is known.)
    keys
        Those that are looked for; all by default. Few of them are looked up, in few files.
    """
    rows = batch.context.lake.read(table)
    if keys is not None:
        rows = rows.where(among(table.key, keys))
    if table.is_append_only:
        limit = batch.number - 1 if before else batch.number
        # A batch has one version of a key. A difference Iceberg leaves to Spark: for a plain comparison it would read the column's
        # dictionary in each file first.
        newest = F.max_by("row_hash", "batch_id").alias("row_hash"), F.max("batch_id").alias("batch_id")
        rows = rows.where(F.col("batch_id") - F.lit(limit) <= 0).groupBy(table.key).agg(*newest)
    else:
        rows = rows.select(table.key, "row_hash", "batch_id")
    if not batch.has_deletions:
        return rows
    deletions = (
        batch.context.lake.read(SOURCE_DELETION)
        .where((F.col("source_table") == table.source) & (F.col("batch_id") < batch.number))
        .where(F.lit(True) if keys is None else among("source_key", keys))
        .groupBy(F.col("source_key").alias(table.key))
        .agg(F.max("batch_id").alias("_deleted"))
    )
    later = F.col("_deleted").isNull() | (F.col("_deleted") < F.col("batch_id"))
    return rows.join(deletions, table.key, "left").where(later).drop("_deleted")
