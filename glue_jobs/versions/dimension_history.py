"""The history tables follow their dimensions: versions without gap or overlap while the row exists."""

from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.protocol.publication import TablePublication
from contracts.tables.lake import HISTORIES
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.star import STAR_TABLES
from glue_jobs.commit import commit_once
from glue_jobs.context import Batch, Outcome, unchanged


def record(batch: Batch, dimension: str, outcome: Outcome) -> TablePublication:
    """Commit the versions that a dimension's changes and deletions begin and end."""
    table, star, lake = HISTORIES[dimension], STAR_TABLES[dimension], batch.context.lake
    if not outcome.after.rows and outcome.deleted is None:
        return unchanged(batch.before[table.name])

    def rows() -> DataFrame:
        changed = lake.read(star).where(F.col("batch_id") == batch.number)
        if outcome.raw is not None:
            key = F.col(SOURCE_TABLES[star.source].key).cast("int").alias(star.key)
            changed = changed.join(outcome.raw.select(key, batch.created_utc.alias("created")), star.key, "left")
        else:
            changed = changed.withColumn("created", F.lit(None).cast("timestamp_ntz"))
        deleted = changed.where("false") if outcome.deleted is None else outcome.deleted.toDF(star.key)
        whole = advanced(lake.read(table), changed, deleted, star.key, batch)
        return whole.coalesce(1).sortWithinPartitions(star.key, "valid_from")

    return replace(
        commit_once(batch, table, rows, replaces_all=True),
        inserted=outcome.after.inserted,
        updated=outcome.after.updated,
        deleted=outcome.after.deleted,
        current_keys=outcome.after.current_keys,
        key_checksum=outcome.after.key_checksum,
    )


def advanced(before: DataFrame, changed: DataFrame, deleted: DataFrame, key: str, batch: Batch) -> DataFrame:
    """Return the history after a batch.

    Parameters
    ----------
    before
        The history so far.
    changed
        The dimension's rows that the batch inserted or changed, and ``created``: when the source row was written.
    deleted
        Keys, as `key`, that the batch found deleted.
    batch
        A source whose clock was set back gives versions of no duration, never overlapping ones.
    """
    moment = batch.moment
    ended = changed.select(key).unionByName(deleted.select(key)).distinct().withColumn("_ends", F.lit(True))
    marked = before.join(ended, key, "left").withColumn("_ends", F.col("is_current") & F.col("_ends").isNotNull())
    kept = marked.select(
        *[c for c in before.columns if c not in ("valid_to", "is_current", "batch_id")],
        F.when(F.col("_ends"), F.greatest(moment, "valid_from")).otherwise(F.col("valid_to")).alias("valid_to"),
        (F.col("is_current") & ~F.col("_ends")).alias("is_current"),
        F.when(F.col("_ends"), F.lit(batch.number)).otherwise(F.col("batch_id")).alias("batch_id"),
    )
    last = before.groupBy(key).agg(F.max(F.coalesce("valid_to", "valid_from")).alias("_last"))
    opened = changed.join(last, key, "left").select(
        *[c for c in before.columns if c in changed.columns and c != "batch_id"],
        F.when(F.col("_last").isNull(), F.least(moment, F.coalesce("created", moment)))
        .otherwise(F.greatest(moment, "_last"))
        .alias("valid_from"),
        F.lit(None).cast("timestamp_ntz").alias("valid_to"),
        F.lit(True).alias("is_current"),
        F.lit(batch.number).alias("batch_id"),
    )
    return kept.unionByName(opened, allowMissingColumns=True)
