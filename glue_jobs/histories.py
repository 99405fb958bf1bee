"""The history tables follow their dimensions."""

from dataclasses import replace

from pyspark.sql import functions as F

from contracts.publication import TablePublication
from contracts.source import SOURCE_TABLES
from contracts.star import HISTORIES, STAR_TABLES
from glue_jobs.moments import created_utc, moment
from glue_jobs.star import history
from glue_jobs.workplace import Batch, Outcome, unchanged


def record(batch: Batch, dimension: str, outcome: Outcome) -> TablePublication:
    """Commit the versions that a dimension's changes and deletions begin and end."""
    table, star, lake = HISTORIES[dimension], STAR_TABLES[dimension], batch.place.lake
    before = batch.before[table.name]
    if not outcome.after.rows and outcome.deleted is None:
        return unchanged(before)
    lake.ensure(table)
    head = batch.head(table)
    if not head.of_batch(batch.number):
        changed = lake.read(star).where(F.col("batch_id") == batch.number)
        key = F.col(SOURCE_TABLES[star.source].key).cast("int").alias(star.key)
        if outcome.raw is not None:
            created = outcome.raw.select(key, created_utc(batch).alias("created"))
            changed = changed.join(created, star.key, "left")
        else:
            changed = changed.withColumn("created", F.lit(None).cast("timestamp_ntz"))
        deleted = changed.where("false") if outcome.deleted is None else outcome.deleted.toDF(star.key)
        rows = history.advanced(lake.read(table), changed, deleted, star.key, moment(batch), batch.number)
        lake.overwrite(table, rows.coalesce(1).sortWithinPartitions(star.key, "valid_from"), batch.number, {}, head)
    commit, files = batch.commit_of(table)
    return replace(
        unchanged(before),
        snapshot_id=commit.snapshot_id,
        files=files,
        inserted=outcome.after.inserted,
        updated=outcome.after.updated,
        deleted=outcome.after.deleted,
        current_keys=outcome.after.current_keys,
        key_checksum=outcome.after.key_checksum,
    )
