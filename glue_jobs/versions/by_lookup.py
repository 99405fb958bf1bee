"""A table's part of a small batch: what changed is decided here; Spark reads, looks up and writes, once each."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.checksum import mix
from contracts.protocol.figures import Figures
from contracts.tables.lake import HISTORIES
from contracts.tables.table import SourceTable, StarTable
from glue_jobs.commit import NO_KEY, Change, published, replaces, with_quarantined, write
from glue_jobs.context import Batch, Outcome
from glue_jobs.lake.pruning import among, buckets
from glue_jobs.lake.tables import Head
from glue_jobs.staging.collected import CollectedRows
from glue_jobs.staging.quarantine import quarantined_rows
from glue_jobs.staging.rows import QUARANTINED, are_at_hand, own_problem, rows_offered, star_rows
from glue_jobs.staging.staged_table import StagedTable
from glue_jobs.star.conversion import PROBLEM, reference_problem
from glue_jobs.versions.dimension_history import CREATED
from glue_jobs.versions.known import known_versions, remember

#: Rows of a batch that are decided on here; more are left to Spark.
SMALL_ROWS = 20_000
#: Rows that are interpreted sooner than Spark compiles what is to be done with them.
FEW_ROWS = 2_000


def are_few(batch: Batch, table: StarTable) -> bool:
    """Tell whether a batch has so few rows for a table that Spark compiles nothing for them."""
    return rows_offered(batch, table) <= min(FEW_ROWS, SMALL_ROWS)


def apply(staged: StagedTable) -> Outcome:
    """Apply one table's rows to the lake, without regard to deletions."""
    batch, table = staged.batch, staged.table
    head = staged.head()
    pointing = {column: f"_to_{column}" for column in staged.references.columns(table)}
    references = [F.col(column).cast("int").alias(name) for column, name in pointing.items()]
    raw = staged.raw.select("*", own_problem(batch, staged.source).alias(PROBLEM), *references)
    others = [PROBLEM, QUARANTINED, *pointing.values()]
    if table.name in HISTORIES:
        others.append(CREATED)
        raw = raw.withColumn(CREATED, batch.created_utc.cast("string"))  # it may be a moment that Python does not know
    are_computed_here = are_at_hand(batch, table) and are_few(batch, table)
    if not are_computed_here:
        raw = raw.coalesce(1)  # else the JVM would interpret every row while it plans
    made = star_rows(batch, table, raw, others)
    rows = CollectedRows(table, made, are_few=are_computed_here)
    staged.check_received(rows[QUARANTINED].count(False))
    problems = _problems(staged, rows, pointing)
    known = known_versions(staged, head, rows[table.key])
    hashes = {
        key: row_hash for key, row_hash in zip(rows[table.key], rows["row_hash"], strict=True) if key not in problems
    }
    changed = {key for key, row_hash in hashes.items() if known.get(key) != row_hash}
    commit, written = head.of_batch(batch.number), None
    if changed and not commit:
        figures = _figures(rows, changed, known)
        unchanged = _unchanged_rows(staged, head, changed) if replaces(batch, table, figures) else None
        write(batch, table, Change(rows.only(changed), {0: len(changed)}, figures, unchanged), head)
        if table.name in HISTORIES:
            written = rows.only(changed, (CREATED,)).withColumn(CREATED, F.col(CREATED).cast("timestamp_ntz"))
    if not commit:  # where nothing is left to change, another run of the same batch may have changed it
        commit = staged.head().of_batch(batch.number)
        if commit and changed:
            remember(staged, head, commit, {key: hashes[key] for key in changed})
    return replace(_outcome(staged, raw, commit.figures if commit else None, problems, known), changed=written)


def _problems(staged: StagedTable, rows: CollectedRows, pointing: Mapping[str, str]) -> dict[int, int]:
    """Return the problem of each row that has one: its own, or the first reference to what is not there."""
    keys = rows[staged.table.key]
    problems = {key: number for key, number in zip(keys, rows[PROBLEM], strict=True) if number}
    parents = staged.references.columns(staged.table)
    for column, name in pointing.items():
        number = reference_problem(staged.source, column)
        good = {k: v for k, v in zip(keys, rows[name], strict=True) if k not in problems and v is not None}
        gone = staged.references.missing(staged.table, parents[column], {*good.values()})
        problems |= {key: number for key, value in good.items() if value in gone}
    return problems


def _outcome(
    staged: StagedTable,
    raw: DataFrame,
    figures: Figures | None,
    problems: Mapping[int, int],
    known: Collection[int],
) -> Outcome:
    after = published(staged.batch, staged.table, figures) if figures else staged.nothing().after
    absent = [key for key in problems if key not in known]
    return Outcome(
        after=with_quarantined(after, len(problems), len(absent), sum(map(mix, absent))),
        raw=raw,
        quarantined=_quarantined(staged.source, raw, problems, known) if problems else None,
        years=frozenset(figures.years) if figures else frozenset(),
    )


def _figures(rows: CollectedRows, changed: Collection[int], known: Collection[int]) -> Figures:
    inserted = [key for key in changed if key not in known]
    return Figures(
        inserted=len(inserted),
        updated=len(changed) - len(inserted),
        inserted_checksum=sum(map(mix, inserted)),
        lowest_inserted=min(inserted, default=NO_KEY),
        lowest=min(changed),
        highest=max(changed),
        years=tuple(sorted(rows.years(changed))),
    )


def _unchanged_rows(staged: StagedTable, head: Head, changed: Collection[int]) -> DataFrame:
    """Return the unchanged rows of the partitions that `changed` lie in."""
    table = staged.table
    rows = staged.batch.context.lake.read(table, head.snapshot_id)
    ranges = [f"`{table.key}` between {low} and {high}" for low, high in buckets(changed, table)]
    return rows.where(F.expr(" or ".join(ranges) or "true") & ~among(table.key, changed))


def _quarantined(source: SourceTable, raw: DataFrame, problems: Mapping[int, int], known: Collection[int]) -> DataFrame:
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
