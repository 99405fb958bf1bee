"""What is current, and what the source has deleted: found when counts do not agree, by the complete key list."""

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.protocol.publication import TablePublication
from contracts.tables.lake import SOURCE_DELETION
from contracts.tables.star import STAR_TABLES
from contracts.tables.table import StarTable
from glue_jobs.commit import commit_once
from glue_jobs.context import Batch, Outcome, unchanged
from glue_jobs.errors import LakeReconciliationError
from glue_jobs.staging.parts import key_list
from glue_jobs.star.content import checksum
from glue_jobs.versions.newest import newest_versions


def reconciled(batch: Batch, table: StarTable, outcome: Outcome) -> Outcome:
    """Compare a table's keys with the source's count and checksum, and find what was deleted.

    Current keys and those that are quarantined without an older version must be the source's keys. When they are not, the
    batch's key list tells which are deleted. Without a list there may be keys too many until the next one
    (``surplus``); there may never be others or fewer.

    Raises
    ------
    LakeReconciliationError
        Naming table, counts and checksums. Nothing was published.
    """
    after, source = outcome.after, batch.manifest.tables[table.source]
    if batch.context.is_partial or _agrees(after, source.source_count, source.source_key_checksum):
        return outcome
    listed = key_list(batch.context.spark, batch.context.ingestion, batch.manifest, table.source)
    if listed is None:
        if (surplus := after.current_keys + after.absent_keys - source.source_count) > 0:
            return replace(outcome, after=replace(after, surplus=surplus))
    else:
        keys = newest_versions(batch, table, before=False).select(F.col(table.key).alias("source_key"))
        deleted = batch.keep(keys.join(listed.toDF("source_key"), "source_key", "left_anti"))
        row = deleted.agg(F.count("*").alias("rows"), checksum("source_key").alias("sum")).collect()[0]
        after = replace(
            after,
            deleted=row["rows"],
            current_keys=after.current_keys - row["rows"],
            key_checksum=after.key_checksum - row["sum"],
        )
        if _agrees(after, source.source_count, source.source_key_checksum):
            return replace(outcome, after=after, deleted=deleted if row["rows"] else None)
    raise LakeReconciliationError(
        f"Batch {batch.number}, table {table.name}: the lake holds {after.current_keys} keys (checksum {after.key_checksum}) "
        f"and {after.absent_keys} are quarantined (checksum {after.absent_checksum}); the source has {source.source_count} "
        f"(checksum {source.source_key_checksum}). Nothing was published. Rows of {table.source} were lost before the lake: "
        f"compare the keys of the batch's parts with the source."
    )


def _agrees(after: TablePublication, count: int, key_checksum: int) -> bool:
    return (after.current_keys + after.absent_keys, after.key_checksum + after.absent_checksum) == (count, key_checksum)


def record(batch: Batch, outcomes: Iterable[tuple[str, Outcome]]) -> TablePublication:
    """Commit the deletions of all tables, and return the publication of ``source_deletion``."""
    found = [(STAR_TABLES[name].source, o) for name, o in outcomes if o.deleted is not None]
    before = batch.before[SOURCE_DELETION.name]
    if not found:
        return unchanged(before)

    def rows() -> DataFrame:
        frames = [
            o.deleted.select(F.lit(source).alias("source_table"), "source_key", batch.moment.alias("deleted_at"))
            for source, o in found
            if o.deleted is not None
        ]
        return reduce(DataFrame.unionByName, frames).withColumn("batch_id", F.lit(batch.number)).coalesce(1)

    count = sum(outcome.after.deleted for _, outcome in found)
    after = commit_once(batch, SOURCE_DELETION, rows)
    return replace(after, inserted=count, current_keys=before.current_keys + count)
