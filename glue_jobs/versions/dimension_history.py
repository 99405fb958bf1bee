"""The history tables follow their dimensions: versions without gap or overlap while the row exists."""

from dataclasses import replace

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from contracts.protocol.publication import TablePublication
from contracts.tables.lake import HISTORIES
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.star import STAR_TABLES
from contracts.tables.table import StarTable
from glue_jobs.commit import commit_once
from glue_jobs.context import Batch, Outcome, unchanged

#: When the source row was written, UTC.
CREATED = "created"


def record(batch: Batch, dimension: str, outcome: Outcome) -> TablePublication:
    """Commit the versions that a dimension's changes and deletions begin and end."""
    table, star, lake = HISTORIES[dimension], STAR_TABLES[dimension], batch.context.lake
    if not outcome.after.rows and outcome.deleted is None:
        return unchanged(batch.before[table.name])

    def rows() -> DataFrame:
        changed = _read_again(batch, star, outcome) if outcome.changed is None else outcome.changed
        deleted = changed.where("false") if outcome.deleted is None else outcome.deleted.toDF(star.key)
        return advanced(lake.read(table), changed, deleted, star.key, batch).sortWithinPartitions(
            star.key, "valid_from"
        )

    return replace(
        commit_once(batch, table, rows, replaces_all=True),
        inserted=outcome.after.inserted,
        updated=outcome.after.updated,
        deleted=outcome.after.deleted,
        current_keys=outcome.after.current_keys,
        key_checksum=outcome.after.key_checksum,
    )


def _read_again(batch: Batch, star: StarTable, outcome: Outcome) -> DataFrame:
    """Return what the batch has written to a dimension, and ``created``."""
    changed = batch.context.lake.read(star).where(F.col("batch_id") == batch.number)
    if outcome.raw is None:
        return changed.withColumn(CREATED, F.lit(None).cast("timestamp_ntz"))
    key = F.col(SOURCE_TABLES[star.source].key).cast("int").alias(star.key)
    return changed.join(outcome.raw.select(key, batch.created_utc.alias(CREATED)), star.key, "left")


def advanced(before: DataFrame, changed: DataFrame, deleted: DataFrame, key: str, batch: Batch) -> DataFrame:
    """Return the history after a batch, in one partition.

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
    moment, what, of_key = batch.moment, F.col("_what"), Window.partitionBy(key)
    rows = before.withColumn("_what", F.lit("version"))
    for name, frame in (("opens", changed), ("ends", deleted.select(key))):
        rows = rows.unionByName(frame.withColumn("_what", F.lit(name)), allowMissingColumns=True)
    last = F.max(F.when(what == "version", F.coalesce("valid_to", "valid_from"))).over(of_key)
    ends = F.col("is_current") & F.max(what != "version").over(of_key)
    # One partition needs no exchange, and no join: Spark takes one job for all.
    marked = rows.coalesce(1).select("*", last.alias("_last"), ends.alias("_ends")).where(what != "ends")
    opens = what == "opens"
    first = F.least(moment, F.coalesce(CREATED, moment))
    began = F.when(F.col("_last").isNull(), first).otherwise(F.greatest(moment, "_last"))
    return marked.withColumns(
        {
            "valid_from": F.when(opens, began).otherwise(F.col("valid_from")),
            "valid_to": F.when(F.col("_ends"), F.greatest(moment, "valid_from")).otherwise(F.col("valid_to")),
            "is_current": opens | (F.col("is_current") & ~F.col("_ends")),
            "batch_id": F.when(opens | F.col("_ends"), batch.number).otherwise(F.col("batch_id")),
        }
    )
