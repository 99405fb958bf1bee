"""Committing what changed of a table, and what its publication says of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.protocol.figures import Figures
from contracts.protocol.publication import TablePublication
from contracts.tables.table import StarTable
from glue_jobs.context import Batch, unchanged
from glue_jobs.lake.tables import Head
from glue_jobs.star.content import record_ids, with_hash

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


@dataclass(frozen=True, slots=True)
class Change:
    """What a batch changes of a table.

    Attributes
    ----------
    rows
        Content columns and ``row_hash``, in each partition in the order of the keys.
    counts
        How many rows each of its partitions has, where there are any.
    figures
        What the commit keeps; the range of record ids is added. None when it is to be counted afterwards.
    unchanged_rows
        Of a dimension whose rows change, the other rows of the partitions that they lie in; without it rows are added.
    """

    rows: DataFrame
    counts: Mapping[int, int] = field(default_factory=dict)
    figures: Figures | None = None
    unchanged_rows: DataFrame | None = None


def write(batch: Batch, table: StarTable, change: Change, head: Head) -> None:
    """Commit what a batch changes of a table, with record ids where it is a fact."""
    rows, figures = change.rows.withColumn("batch_id", F.lit(batch.number)), change.figures
    if table.record_id and is_first(batch, table):
        rows = rows.withColumn(table.record_id, F.col(table.key).cast("long"))
        figures = figures and figures.with_records(figures.lowest, figures.highest)
    elif table.record_id:
        first = batch.before[table.name].last_record_id + 1
        figures = figures and figures.with_records(first, first + sum(change.counts.values()) - 1)
        starts = {}
        for partition in sorted(change.counts):
            starts[partition] = first
            first += change.counts[partition]
        rows = rows.withColumn(table.record_id, record_ids(starts))
    if change.unchanged_rows is None:
        batch.context.lake.append(table, rows, batch.number, figures, head)
    else:
        new = rows.select(*table.column_names, "batch_id", "row_hash")
        whole = change.unchanged_rows.unionByName(new, allowMissingColumns=True)
        batch.context.lake.replace(table, whole, batch.number, figures, head)


def commit_once(
    batch: Batch, table: StarTable, rows: Callable[[], DataFrame], *, replaces_all: bool = False
) -> TablePublication:
    """Commit rows to a table, unless an earlier try of the batch has done so.

    Parameters
    ----------
    rows
        Makes the rows, as far as the table's columns and ``batch_id``; called only when they are to be committed.
    replaces_all
        Whether they take the place of all that the table has; otherwise they are added.

    Returns
    -------
    TablePublication
        The table as before, with the commit's snapshot and files.
    """
    lake = batch.context.lake
    lake.ensure(table)
    head = batch.head(table)
    if not head.of_batch(batch.number):
        made = rows()
        whole = made if "row_hash" in made.columns else with_hash(made, table)
        commit = lake.overwrite if replaces_all else lake.append
        commit(table, whole, batch.number, None, head)
    done, files = batch.commit_of(table)
    return replace(unchanged(batch.before[table.name]), snapshot_id=done.snapshot_id, files=files)


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
    """Add how many rows are quarantined, and of how many of them the table shows no older version."""
    return replace(after, quarantined=quarantined, absent_keys=absent, absent_checksum=absent_checksum)
