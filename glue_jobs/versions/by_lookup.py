"""A table's part of a small batch: what changed is decided here; Spark reads, looks up and writes, once each."""

from collections.abc import Collection, Iterable, Mapping

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from contracts.checksum import mix
from contracts.protocol.figures import Figures
from contracts.tables.lake import SOURCE_DELETION
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.table import StarTable
from glue_jobs.commit import NO_KEY, published, replaces, with_quarantined, write
from glue_jobs.context import Batch, Outcome, unchanged
from glue_jobs.lake.pruning import among, buckets
from glue_jobs.lake.tables import Head
from glue_jobs.staging.parts import check_received, expected_rows
from glue_jobs.staging.quarantine import quarantined_rows
from glue_jobs.staging.references import References
from glue_jobs.staging.rows import QUARANTINED, own_problem, raw_rows, star_rows
from glue_jobs.star.content import years
from glue_jobs.star.conversion import PROBLEM, reference_problem

#: Rows of a batch that are decided on here; more are left to Spark.
SMALL_ROWS = 20_000


def apply(batch: Batch, table: StarTable, references: References) -> Outcome:
    """Bring one table's rows into the lake, without regard to deletions."""
    head = batch.head(table)
    source = SOURCE_TABLES[table.source]
    raw = batch.keep(raw_rows(batch, table).withColumn(PROBLEM, own_problem(batch, source)).coalesce(1))
    pointing = {column: (f"_to_{column}", parent) for column, parent in references.columns(table).items()}
    marked = raw.select("*", *[F.col(column).cast("int").alias(name) for column, (name, _) in pointing.items()])
    rows = star_rows(batch, table, marked, (PROBLEM, QUARANTINED, *[name for name, _ in pointing.values()]))
    index = rows.select(
        F.col(table.key).alias("key"),
        "row_hash",
        PROBLEM,
        QUARANTINED,
        *[name for name, _ in pointing.values()],
        years(table).alias("years"),
    ).collect()
    expected = expected_rows(batch.manifest, table.source)
    check_received(batch.manifest, table.source, sum(not row[QUARANTINED] for row in index), expected)
    problems = {row["key"]: row[PROBLEM] for row in index if row[PROBLEM]}
    for column, (name, parent) in pointing.items():
        number = reference_problem(source, column)
        good = [row for row in index if row["key"] not in problems and row[name] is not None]
        gone = references.missing(table, parent, {row[name] for row in good})
        problems |= {row["key"]: number for row in good if row[name] in gone}
    known = _known(batch, table, head, [row["key"] for row in index])
    changed = {
        row["key"]
        for row in index
        if row["key"] not in problems and (row["key"] not in known or known[row["key"]] != row["row_hash"])
    }
    commit = head.of_batch(batch.number)
    if changed and not commit:
        figures = _figures(index, changed, known)
        new = rows if len(changed) == len(index) else rows.where(among(table.key, changed))
        unchanged_rows = _unchanged_rows(batch, table, head, changed) if replaces(batch, table, figures) else None
        write(batch, table, new.sortWithinPartitions(table.key), {0: len(changed)}, figures, head, unchanged_rows)
        commit, _ = batch.commit_of(table)
    # Where nothing is left to change, another run of the same batch may have changed it.
    commit = commit or batch.head(table).of_batch(batch.number)
    done = commit.figures if commit else None
    after = published(batch, table, done) if done else unchanged(batch.before[table.name])
    absent = [key for key in problems if key not in known]
    return Outcome(
        after=with_quarantined(after, len(problems), len(absent), sum(map(mix, absent))),
        raw=raw,
        quarantined=_quarantined(table, raw, problems, known) if problems else None,
        years=frozenset(done.years) if done else frozenset(),
    )


def _figures(index: Iterable[Row], changed: Collection[int], known: Mapping[int, str]) -> Figures:
    inserted = [key for key in changed if key not in known]
    return Figures(
        inserted=len(inserted),
        updated=len(changed) - len(inserted),
        inserted_checksum=sum(map(mix, inserted)),
        lowest_inserted=min(inserted, default=NO_KEY),
        lowest=min(changed),
        highest=max(changed),
        years=tuple(sorted({year for row in index if row["key"] in changed for year in row["years"]})),
    )


def _known(batch: Batch, table: StarTable, head: Head, keys: Iterable[int]) -> dict[int, str]:
    """Return the content hash of the newest version of each key that the lake shows: not of deleted ones."""
    before = batch.before[table.name]
    wanted = [key for key in keys if before.lowest_key <= key <= before.highest_key]
    if not wanted or not head.snapshot_id:
        return {}
    rows = batch.context.lake.read(table).where(among(table.key, wanted))
    if table.is_append_only:
        newest = F.max_by(F.struct("row_hash", "batch_id"), table.record_id).alias("newest")
        rows = rows.where(F.col("batch_id") < batch.number).groupBy(table.key).agg(newest).select(table.key, "newest.*")
    found = {row[0]: (row[1], row[2]) for row in rows.select(table.key, "row_hash", "batch_id").collect()}
    if found and batch.has_deletions:
        deletions = (
            batch.context.lake.read(SOURCE_DELETION)
            .where((F.col("source_table") == table.source) & (F.col("batch_id") < batch.number))
            .where(among("source_key", found))
            .groupBy("source_key")
            .agg(F.max("batch_id"))
        )
        for key, deleted in deletions.collect():
            if deleted >= found[key][1]:
                del found[key]
    return {key: row_hash for key, (row_hash, _) in found.items()}


def _unchanged_rows(batch: Batch, table: StarTable, head: Head, changed: Collection[int]) -> DataFrame:
    """Return the unchanged rows of the partitions that `changed` lie in."""
    rows = batch.context.lake.read(table, head.snapshot_id)
    ranges = [f"`{table.key}` between {low} and {high}" for low, high in buckets(changed, table)]
    return rows.where(" or ".join(ranges) or "true").where(~among(table.key, changed))


def _quarantined(table: StarTable, raw: DataFrame, problems: Mapping[int, int], known: Collection[int]) -> DataFrame:
    source = SOURCE_TABLES[table.source]
    keys: dict[int, list[int]] = {}
    for key, number in problems.items():
        keys.setdefault(number, []).append(key)
    own = raw.withColumn("source_key", F.col(source.key).cast("int"))
    cases = F.lit(0)
    for number, those in keys.items():
        cases = F.when(among("source_key", those), number).otherwise(cases)
    older = [key for key in problems if key in known]
    is_older: Column = among("source_key", older) if older else F.lit(False)
    return quarantined_rows(source, own.where(among("source_key", problems)), cases, is_older)
