"""A table's part of a large batch: everything is decided by Spark, and only figures are collected."""

from collections.abc import Iterable, Sequence

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from contracts.protocol.figures import Figures
from contracts.protocol.publication import TablePublication
from contracts.tables.table import StarTable
from glue_jobs.commit import NO_KEY, Change, is_first, published, replaces, with_quarantined, write
from glue_jobs.context import Batch, Outcome
from glue_jobs.lake.pruning import bucket
from glue_jobs.lake.tables import Head
from glue_jobs.staging.quarantine import quarantined_rows
from glue_jobs.staging.rows import QUARANTINED, own_problem, star_rows
from glue_jobs.staging.staged_table import StagedTable
from glue_jobs.star.content import ROWS_PER_PARTITION, checksum, partition_statistics, span_of_years, years
from glue_jobs.star.conversion import PROBLEM
from glue_jobs.versions.newest import newest_versions


def apply(staged: StagedTable) -> Outcome:
    """Apply one table's rows to the lake, without regard to deletions."""
    if is_first(staged.batch, staged.table) and not staged.before.quarantined:
        return _first(staged)
    return _further(staged, staged.references.marked(staged.table, staged.raw))


def _first(staged: StagedTable) -> Outcome:
    """Write rows straight through to a table that has none: nothing to compare, to sort or to keep in between.

    They are written beside those that they refer to, not after them; then counted, and their references looked at. When
    some refer to nothing, or an earlier try had read damaged parts that are mended now, all are written once more.
    """
    batch, table, source, expected = staged.batch, staged.table, staged.source, staged.expected
    if staged.head().of_batch(batch.number) is None:
        _write(staged, staged.raw.withColumn(PROBLEM, own_problem(batch, source)))
    figures, ends = _figures(batch, table, staged.references.ends(table))
    quarantined, number = None, 0
    if figures.inserted != expected or not staged.references.hold(table, ends):
        marked = staged.references.marked(table, staged.raw)
        quarantined = batch.keep(quarantined_rows(source, marked.where(F.col(PROBLEM) > 0), F.col(PROBLEM)))
        number = quarantined.count()
        if expected is None or figures.inserted + number != expected:
            _write(staged, marked)
            figures, _ = _figures(batch, table)
    staged.check_received(figures.inserted + number)
    after = published(batch, table, figures) if figures.inserted else staged.nothing().after
    return _outcome(after, staged.raw, quarantined if number else None, figures.years)


def _write(staged: StagedTable, raw: DataFrame) -> None:
    rows = star_rows(staged.batch, staged.table, raw, (PROBLEM,)).where(F.col(PROBLEM) == 0)
    write(staged.batch, staged.table, Change(rows), staged.head())


def _further(staged: StagedTable, raw: DataFrame) -> Outcome:
    """Write the rows whose content differs from their newest version."""
    batch, table, source = staged.batch, staged.table, staged.source
    head = staged.head()
    staged.check_received(raw.where(~F.col(QUARANTINED)).count())
    newest = newest_versions(batch, table, before=True)
    if not head.of_batch(batch.number):
        rows = star_rows(batch, table, raw, (PROBLEM,)).where(F.col(PROBLEM) == 0)
        change = _change(staged, rows, newest, head)
        if change:
            write(batch, table, change, head)
    commit = staged.head().of_batch(batch.number)
    figures = commit.figures if commit else None
    after = published(batch, table, figures) if figures else staged.nothing().after
    older = newest.select(F.col(table.key).alias("_older"))
    bad = raw.where(F.col(PROBLEM) > 0).join(older, F.col(source.key).cast("int") == F.col("_older"), "left")
    quarantined = batch.keep(quarantined_rows(source, bad, F.col(PROBLEM), F.col("_older").isNotNull()))
    return _outcome(after, raw, quarantined, figures.years if figures else ())


def _change(staged: StagedTable, rows: DataFrame, newest: DataFrame, head: Head) -> Change | None:
    """Return what differs between rows and the newest versions of their keys, or None when nothing does."""
    batch, table = staged.batch, staged.table
    known = newest.select(table.key, F.col("row_hash").alias("_known"))
    changed = batch.keep(
        rows.join(known, table.key, "left")
        .where(F.col("_known").isNull() | (F.col("_known") != F.col("row_hash")))
        .withColumn("_is_new", F.col("_known").isNull())
    )
    partitions = changed.count() // ROWS_PER_PARTITION + 1
    spread = changed.coalesce(1) if partitions == 1 else changed.repartitionByRange(partitions, table.key)
    ordered = batch.keep(spread.sortWithinPartitions(table.key))
    statistics = {row["partition"]: row for row in partition_statistics(ordered, table).collect()}
    if not statistics:
        return None
    figures = _summed([*statistics.values()])
    others = _unchanged_rows(batch, table, head, ordered) if replaces(batch, table, figures) else None
    return Change(ordered, {partition: row["changed"] for partition, row in statistics.items()}, figures, others)


def _outcome(
    after: TablePublication, raw: DataFrame, quarantined: DataFrame | None, found_years: Iterable[int]
) -> Outcome:
    number = absent = absent_checksum = 0
    if quarantined is not None:
        by_age = quarantined.groupBy("has_older_version").agg(
            F.count("*").alias("rows"), checksum("source_key").alias("sum")
        )
        for row in by_age.collect():
            number += row["rows"]
            if not row["has_older_version"]:
                absent, absent_checksum = row["rows"], row["sum"]
    after = with_quarantined(after, number, absent, absent_checksum)
    return Outcome(after=after, raw=raw, quarantined=quarantined if number else None, years=frozenset(found_years))


def _figures(batch: Batch, table: StarTable, further: Sequence[Column] = ()) -> tuple[Figures, Row]:
    """Count what the batch has written, from the files as they are; return the figures, and the row with `further` aggregates."""
    written = batch.context.lake.read(table).where(F.col("batch_id") == batch.number)
    row = written.agg(
        F.count("*").alias("inserted"),
        checksum(table.key).alias("inserted_checksum"),
        F.coalesce(F.min(table.key), F.lit(0)).alias("lowest"),
        F.coalesce(F.max(table.key), F.lit(-1)).alias("highest"),
        *span_of_years(table),
        *further,
    ).collect()[0]
    figures = Figures(
        inserted=row["inserted"],
        updated=0,
        inserted_checksum=row["inserted_checksum"],
        lowest_inserted=row["lowest"],
        lowest=row["lowest"],
        highest=row["highest"],
        years=_years(written, table, row["first_year"], row["last_year"]),
    )
    return (figures.with_records(figures.lowest, figures.highest) if table.record_id else figures), row


def _years(written: DataFrame, table: StarTable, first: int | None, last: int | None) -> tuple[int, ...]:
    """Return the years that rows refer to: those between the first and the last when they lie close, else as counted."""
    if first is None or last is None:
        return ()
    if last - first < 20:
        return tuple(range(first, last + 1))
    found = written.select(F.explode(years(table)).alias("year")).distinct().collect()
    return tuple(sorted(row["year"] for row in found))


def _summed(statistics: Sequence[Row]) -> Figures:
    changed, inserted = (sum(row[name] for row in statistics) for name in ("changed", "inserted"))
    return Figures(
        inserted=inserted,
        updated=changed - inserted,
        inserted_checksum=sum(row["inserted_checksum"] for row in statistics),
        lowest_inserted=min((row["lowest_inserted"] for row in statistics if row["inserted"]), default=NO_KEY),
        lowest=min(row["lowest"] for row in statistics),
        highest=max(row["highest"] for row in statistics),
        years=tuple(sorted({year for row in statistics for year in row["years"]})),
    )


def _unchanged_rows(batch: Batch, table: StarTable, head: Head, changed: DataFrame) -> DataFrame:
    """Return the unchanged rows of the partitions that `changed` lie in."""
    rows = batch.context.lake.read(table, head.snapshot_id).join(changed.select(table.key), table.key, "left_anti")
    number = bucket(table)
    if number is None:
        return rows
    touched = changed.select(number.alias("_bucket")).distinct()
    return rows.withColumn("_bucket", number).join(touched, "_bucket", "left_semi")
