"""The history of a dimension: versions that follow each other without gap or overlap while the row exists."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def advanced(
    before: DataFrame, changed: DataFrame, deleted: DataFrame, key: str, moment: Column, batch: int
) -> DataFrame:
    """Return the history after a batch.

    Parameters
    ----------
    before
        The history so far.
    changed
        The dimension's rows that the batch inserted or changed, and ``created``: when the source row was written.
    deleted
        Keys, as `key`, that the batch found deleted.
    moment
        The batch's snapshot, UTC. A source whose clock was set back gives versions of no duration, never overlapping ones.
    batch
        Its number.
    """
    ended = changed.select(key).unionByName(deleted.select(key)).distinct().withColumn("_ends", F.lit(True))
    marked = before.join(ended, key, "left").withColumn("_ends", F.col("is_current") & F.col("_ends").isNotNull())
    kept = marked.select(
        *[c for c in before.columns if c not in ("valid_to", "is_current", "batch_id")],
        F.when(F.col("_ends"), F.greatest(moment, "valid_from")).otherwise(F.col("valid_to")).alias("valid_to"),
        (F.col("is_current") & ~F.col("_ends")).alias("is_current"),
        F.when(F.col("_ends"), F.lit(batch)).otherwise(F.col("batch_id")).alias("batch_id"),
    )
    last = before.groupBy(key).agg(F.max(F.coalesce("valid_to", "valid_from")).alias("_last"))
    opened = changed.join(last, key, "left").select(
        *[c for c in before.columns if c in changed.columns and c != "batch_id"],
        F.when(F.col("_last").isNull(), F.least(moment, F.coalesce("created", moment)))
        .otherwise(F.greatest(moment, "_last"))
        .alias("valid_from"),
        F.lit(None).cast("timestamp_ntz").alias("valid_to"),
        F.lit(True).alias("is_current"),
        F.lit(batch).alias("batch_id"),
    )
    return kept.unionByName(opened)
