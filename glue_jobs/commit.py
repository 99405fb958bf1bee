"""Committing what changed of a table, and what its publication says of it."""

from collections.abc import Mapping
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.protocol.figures import Figures
from contracts.protocol.publication import TablePublication
from contracts.tables.table import StarTable
from glue_jobs.context import Batch
from glue_jobs.lake.tables import Head
from glue_jobs.star.content import record_ids

#: Higher than every key.
NO_KEY = 2**31


def is_first(batch: Batch, table: StarTable) -> bool:
    """Tell whether no batch before this one wrote to the table. Its first versions then have their keys as record ids."""
    return not batch.before[table.name].snapshot_id


def replaces(batch: Batch, table: StarTable, figures: Figures) -> bool:
    """Tell whether changed rows take the place of rows that a dimension has, so that it holds each key once.

    A key that comes back is inserted, and its old row is still there.
    """
    if table.is_append_only:
        return False
    before = batch.before[table.name]
    may_come_back = batch.has_deletions and figures.lowest_inserted <= before.highest_key
    return bool(figures.updated) or may_come_back


def write(
    batch: Batch,
    table: StarTable,
    changed: DataFrame,
    counts: Mapping[int, int],
    figures: Figures | None,
    head: Head,
    unchanged_rows: DataFrame | None = None,
) -> None:
    """Commit changed rows.

    Parameters
    ----------
    changed
        Content columns and ``row_hash``, in each partition in the order of the keys.
    counts
        How many rows each of its partitions has, where there are any.
    figures
        What the commit keeps; the range of record ids is added. None when it is to be counted afterwards.
    unchanged_rows
        Of a dimension whose rows change, the other rows of the partitions that they lie in; without it rows are added.
    """
    rows = changed.withColumn("batch_id", F.lit(batch.number))
    if table.record_id:
        first = batch.before[table.name].last_record_id + 1
        if is_first(batch, table):
            rows = rows.withColumn(table.record_id, F.col(table.key).cast("long"))
            figures = figures and figures.with_records(figures.lowest, figures.highest)
        else:
            figures = figures and figures.with_records(first, first + sum(counts.values()) - 1)
            starts = {}
            for partition in sorted(counts):
                starts[partition] = first
                first += counts[partition]
            rows = rows.withColumn(table.record_id, record_ids(starts))
    if unchanged_rows is None:
        batch.context.lake.append(table, rows, batch.number, figures, head)
    else:
        columns = [*table.column_names, "batch_id", "row_hash"]
        whole = unchanged_rows.select(*columns).unionByName(rows.select(*columns))
        batch.context.lake.replace(table, whole, batch.number, figures, head)


def published(batch: Batch, table: StarTable, figures: Figures) -> TablePublication:
    """Return the publication of a table to which the batch has committed."""
    before = batch.before[table.name]
    commit, files = batch.commit_of(table)
    is_empty = before.highest_key < before.lowest_key
    return replace(
        before,
        snapshot_id=commit.snapshot_id,
        files=files,
        inserted=figures.inserted,
        updated=figures.updated,
        deleted=0,
        surplus=0,
        first_record_id=figures.first_record_id,
        last_record_id=figures.last_record_id,
        current_keys=before.current_keys + figures.inserted,
        key_checksum=before.key_checksum + figures.inserted_checksum,
        lowest_key=figures.lowest if is_empty else min(before.lowest_key, figures.lowest),
        highest_key=figures.highest if is_empty else max(before.highest_key, figures.highest),
    )


def with_quarantined(after: TablePublication, quarantined: int, absent: int, absent_checksum: int) -> TablePublication:
    """Add how many rows are held back, and of how many of them the table shows no older version."""
    return replace(after, quarantined=quarantined, absent_keys=absent, absent_checksum=absent_checksum)
