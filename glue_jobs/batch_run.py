"""From one committed batch to one publication: every table of the lake, then the commit."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from contracts.errors import DuplicateNumberError
from contracts.protocol.document import digest
from contracts.protocol.manifest import Manifest
from contracts.protocol.newest import note_newest
from contracts.protocol.object_layout import PUBLICATION_PREFIX, manifest_key, publication_key
from contracts.protocol.publication import Publication, Superseded, TablePublication
from contracts.release import FORMAT, RELEASE
from contracts.tables.lake import HISTORIES, LAKE_TABLES, QUARANTINE, SOURCE_DELETION
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.star import DIM_DATE, STAR_TABLES
from contracts.tables.table import StarTable
from glue_jobs.commit import is_first
from glue_jobs.context import Batch, Context, Outcome, unchanged
from glue_jobs.custody import check_lake
from glue_jobs.errors import ConflictError
from glue_jobs.spark_errors import SPARK_ERRORS, explained
from glue_jobs.staging import quarantine
from glue_jobs.staging.parts import check_parts
from glue_jobs.staging.references import References
from glue_jobs.staging.rows import is_offered, raw_rows, rows_offered
from glue_jobs.staging.staged_table import StagedTable
from glue_jobs.versions import by_join, by_lookup, calendar, deletions, dimension_history
from glue_jobs.versions.days import Ranges

T = TypeVar("T")

#: Tables worked on at a time; on two cores four threads keep both busy.
THREADS = 4
#: How often the work on a table begins again because another run committed to it meanwhile.
ATTEMPTS = 5

#: Star tables after those that their sources refer to.
_IN_ORDER = sorted(
    (table for table in STAR_TABLES.values() if table.source), key=lambda t: list(SOURCE_TABLES).index(t.source)
)


def publish(
    context: Context,
    manifest: Manifest,
    previous: Publication | None,
    log: Callable[[str], None],
    superseded: tuple[Superseded, ...] = (),
) -> Publication:
    """Transform one batch and publish it.

    What a table's newest commit says of this batch is not done again, so a run after a crash does exactly what is missing.

    Parameters
    ----------
    manifest, previous
        The batch, and the publication of the one before it.
    log
        Receives one line for each table that changed.
    superseded
        Batches whose place this one takes: what they have committed is taken back.

    Raises
    ------
    IngestionDamagedError
        A part is missing or not what the manifest says.
    LakeReconciliationError
        The lake's keys are not the source's. Nothing was published.
    OvertakenError
        Another run has published this batch and is further.
    CustodyError
        The batch is another lake's. Nothing was committed.
    """
    started = time.monotonic()
    check_lake(manifest, previous)
    for name, extract in manifest.tables.items():
        check_parts(context.ingestion, name, extract)
    batch = Batch(context, manifest, previous)
    _compile_or_not(batch)
    if previous is None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(context.lake.ensure, LAKE_TABLES.values()))
    try:
        tables, calendar = _apply(batch, log)
    finally:
        batch.release()
    publication = Publication(
        format=FORMAT,
        release=RELEASE,
        batch=manifest.batch,
        first=batch.published + 1,
        snapshot_time=manifest.snapshot_time,
        published_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        tables=tables,
        lake=manifest.lake,
        manifest=digest(context.ingestion.get(manifest_key(manifest.batch))),
        extracted_at=manifest.extracted_at,
        time_zone=manifest.time_zone,
        calendar=calendar,
        superseded=superseded,
    )
    try:
        context.processed.put_once(context.publications + publication_key(manifest.batch), publication.to_json())
    except DuplicateNumberError:
        log(f"batch {manifest.batch}: another run published it first")
    else:
        log(f"batch {manifest.batch}: published after {time.monotonic() - started:.1f} s")
        if not context.publications:  # a replay is searched once, and its numbers are few
            note_newest(context.processed, PUBLICATION_PREFIX, manifest.batch, log)
    return publication


def _compile_or_not(batch: Batch) -> None:
    """Have Spark compile its plans for a large batch only: of few rows, compiling takes longer than interpreting."""
    are_few = all(by_lookup.are_few(batch, table) for table in _IN_ORDER)
    configuration = batch.context.spark.conf
    configuration.set("spark.sql.codegen.wholeStage", str(not are_few).lower())
    configuration.set("spark.sql.codegen.factoryMode", "NO_CODEGEN" if are_few else "FALLBACK")


def _apply(batch: Batch, log: Callable[[str], None]) -> tuple[dict[str, TablePublication], Ranges]:
    tables: dict[str, TablePublication] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        running: dict[str, Future[Outcome]] = {}
        # A table waits for those that it refers to, which began before it: some thread is always at work.
        references = References(batch, lambda name: running[name].result().after)
        for table in _IN_ORDER:
            running[table.name] = _submitted(pool, batch, table, partial(_table, batch, table, references))
        further: dict[str, Future[TablePublication]] = {
            table.name: _submitted(pool, batch, table, partial(_history, batch, name, running[name]))
            for name, table in HISTORIES.items()
        }
        outcomes = {name: future.result() for name, future in running.items()}
        for name, outcome in outcomes.items():
            _log_table(batch, name, outcome.after, log)
        years = frozenset[int]().union(*(outcome.years for outcome in outcomes.values()))
        days = calendar.days_before(batch)
        further[DIM_DATE.name] = _submitted(pool, batch, DIM_DATE, lambda: calendar.record(batch, days, years))
        further[SOURCE_DELETION.name] = _submitted(
            pool, batch, SOURCE_DELETION, lambda: deletions.record(batch, outcomes.items())
        )
        quarantined = _submitted(pool, batch, QUARANTINE, lambda: quarantine.record(batch, outcomes))
        tables |= {name: outcome.after for name, outcome in outcomes.items()}
        tables |= {name: future.result() for name, future in further.items()}
        tables |= quarantined.result()
    return tables, calendar.days_after(days, years)


def _submitted(pool: ThreadPoolExecutor, batch: Batch, table: StarTable, work: Callable[[], T]) -> Future[T]:
    """Begin the work on a table; each try takes back first what a batch that was left out has committed."""

    def begun() -> T:
        batch.begin(table)
        return work()

    return pool.submit(_retried, table, begun)


def _table(batch: Batch, table: StarTable, references: References) -> Outcome:
    if not is_offered(batch, table):
        outcome = Outcome(unchanged(batch.before[table.name]))
    else:
        batch.context.lake.ensure(table)
        is_small = rows_offered(batch, table) <= by_lookup.SMALL_ROWS and not _is_uncounted(batch, table)
        staged = StagedTable(batch, table, raw_rows(batch, table), references)
        outcome = (by_lookup if is_small else by_join).apply(staged)
    return deletions.reconciled(batch, table, outcome)


def _is_uncounted(batch: Batch, table: StarTable) -> bool:
    """Tell whether an earlier try, which took it for large, has written the table's first rows and not counted them yet."""
    commit = batch.head(table).of_batch(batch.number) if is_first(batch, table) else None
    return commit is not None and not commit.figures


def _history(batch: Batch, dimension: str, outcome: Future[Outcome]) -> TablePublication:
    return dimension_history.record(batch, dimension, outcome.result())


def _log_table(batch: Batch, name: str, after: TablePublication, log: Callable[[str], None]) -> None:
    before = batch.before[name]
    if after.rows or after.deleted or after.surplus or after.quarantined or before.quarantined:
        quarantined = f", {after.quarantined} quarantined" if after.quarantined or before.quarantined else ""
        surplus = f", {after.surplus} deleted ones to be named by a key list" if after.surplus else ""
        log(
            f"batch {batch.number}: {name} inserted {after.inserted}, updated {after.updated}, deleted {after.deleted}"
            f"{quarantined}{surplus}"
        )


def _retried(table: StarTable, work: Callable[[], T]) -> T:
    """Work on a table, anew when another run commits to it meanwhile; turn an error of Spark into the job's own."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except ConflictError:
            if attempt == ATTEMPTS:
                raise
        except SPARK_ERRORS as error:
            raise explained(error, f"Table {table.name}") from None
    raise AssertionError("unreachable")
