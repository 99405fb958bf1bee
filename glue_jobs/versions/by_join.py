"""A table's part of a large batch: everything is decided by Spark, and only figures are collected."""

from collections.abc import Iterable, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from contracts.protocol.figures import Figures
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.table import StarTable
from glue_jobs.commit import NO_KEY, is_first, published, replaces, with_quarantined, write
from glue_jobs.context import Batch, Outcome, unchanged
from glue_jobs.lake.pruning import bucket
from glue_jobs.lake.tables import Head
from glue_jobs.staging.parts import check_received, expected_rows
from glue_jobs.staging.quarantine import quarantined_rows
from glue_jobs.staging.references import References
from glue_jobs.staging.rows import QUARANTINED, own_problem, raw_rows, star_rows
from glue_jobs.star.content import ROWS_PER_PARTITION, checksum, partition_statistics, span_of_years, years
from glue_jobs.star.conversion import PROBLEM
from glue_jobs.versions.newest import newest_versions


def apply(batch: Batch, table: StarTable, references: References) -> Outcome:
    """Bring one table's rows into the lake, without regard to deletions."""
    raw = raw_rows(batch, table)
    if is_first(batch, table) and not batch.before[table.name].quarantined:
        return _first(batch, table, raw, references)
    return _further(batch, table, references.marked(table, raw))


def _first(batch: Batch, table: StarTable, raw: DataFrame, references: References) -> Outcome:
    """Write rows straight through to a table that has none: nothing to compare, to sort or to keep in between.

    They are written beside those that they refer to, not after them; then counted, and their references looked at. When
    some refer to nothing, or an earlier try had read damaged parts that are mended now, all are written once more.
    """
    source = SOURCE_TABLES[table.source]
    expected = expected_rows(batch.manifest, table.source)
    own = raw.withColumn(PROBLEM, own_problem(batch, source))
    if batch.head(table).of_batch(batch.number) is None:
        _write(batch, table, own)
    figures, ends = _figures(batch, table, references.ends(table))
    quarantined, number = None, 0
    if figures.inserted != expected or not references.hold(table, ends):
        marked = references.marked(table, raw)
        quarantined = batch.keep(quarantined_rows(source, marked.where(F.col(PROBLEM) > 0), F.col(PROBLEM)))
        number = quarantined.count()
        if expected is None or figures.inserted + number != expected:
            _write(batch, table, marked)
            figures, _ = _figures(batch, table)
    check_received(batch.manifest, table.source, figures.inserted + number, expected)
    after = published(batch, table, figures) if figures.inserted else unchanged(batch.before[table.name])
    return _outcome(after, raw, quarantined if number else None, figures.years)


def _write(batch: Batch, table: StarTable, raw: DataFrame) -> None:
    rows = star_rows(batch, table, raw, (PROBLEM,)).where(F.col(PROBLEM) == 0)
    write(batch, table, rows, {}, None, batch.head(table))


def _further(batch: Batch, table: StarTable, raw: DataFrame) -> Outcome:
    """Write the rows whose content differs from their newest version."""
    rows = star_rows(batch, table, raw, (PROBLEM,)).where(F.col(PROBLEM) == 0)
    head = batch.head(table)
    expected = expected_rows(batch.manifest, table.source)
    check_received(batch.manifest, table.source, raw.where(~F.col(QUARANTINED)).count(), expected)
    newest = newest_versions(batch, table, before=True)
    commit = head.of_batch(batch.number)
    if not commit:
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
        if statistics:
            figures = _summed([*statistics.values()])
            unchanged_rows = _unchanged_rows(batch, table, head, ordered) if replaces(batch, table, figures) else None
            counts = {partition: row["changed"] for partition, row in statistics.items()}
            write(batch, table, ordered, counts, figures, head, unchanged_rows)
        commit = batch.head(table).of_batch(batch.number)
    done = commit.figures if commit else None
    after = published(batch, table, done) if done else unchanged(batch.before[table.name])
    source = SOURCE_TABLES[table.source]
    older = newest.select(F.col(table.key).alias("_older"))
    bad = raw.where(F.col(PROBLEM) > 0).join(older, F.col(source.key).cast("int") == F.col("_older"), "left")
    quarantined = batch.keep(quarantined_rows(source, bad, F.col(PROBLEM), F.col("_older").isNotNull()))
    return _outcome(after, raw, quarantined, done.years if done else ())


def _outcome(after: Any, raw: DataFrame, quarantined: DataFrame | None, found_years: Iterable[int]) -> Outcome:
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
