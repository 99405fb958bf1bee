"""From one committed batch to one publication: every table of the lake, then the commit."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

from contracts.batch import Manifest
from contracts.document import FORMAT
from contracts.errors import DuplicateNumberError
from contracts.layout import publication_key
from contracts.publication import Publication, TablePublication
from contracts.source import SOURCE_TABLES
from contracts.star import DIM_DATE, HISTORIES, LAKE_TABLES, SOURCE_DELETION, STAR_TABLES
from contracts.table import StarTable
from glue_jobs import bulk, calendars, deletions, histories, quarantine, small
from glue_jobs.errors import ConflictError
from glue_jobs.incoming import is_offered
from glue_jobs.maintain import BATCHES, gather
from glue_jobs.reader import check_parts
from glue_jobs.references import References
from glue_jobs.spark_errors import SPARK_ERRORS, explained
from glue_jobs.workplace import Batch, Outcome, Workplace, first_publications, unchanged

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
    place: Workplace, manifest: Manifest, previous: Publication | None, log: Callable[[str], None]
) -> Publication:
    """Bring one batch into the lake and publish it.

    Every so many batches the small files that they left are brought together, once all is published.

    What a table's newest commit says of this batch is not done again, so a run after a crash does exactly what is missing.

    Parameters
    ----------
    manifest, previous
        The batch, and the publication of the one before it.
    log
        Receives one line for each table that changed.

    Raises
    ------
    IngestionDamagedError
        A part is missing or not what the manifest says.
    LakeReconciliationError
        The lake's keys are not the source's. Nothing was published.
    OvertakenError
        Another run has published this batch and is further.
    """
    for name, extract in manifest.tables.items():
        check_parts(place.ingestion, name, extract)
    batch = Batch(place, manifest, previous.tables if previous else first_publications())
    if previous is None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(place.lake.ensure, LAKE_TABLES.values()))
    try:
        tables = _bring(batch, log)
    finally:
        batch.release()
    publication = Publication(
        format=FORMAT,
        batch=manifest.batch,
        first=previous.batch + 1 if previous else manifest.first,
        snapshot_time=manifest.snapshot_time,
        published_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        tables=tables,
    )
    try:
        place.processed.put_once(place.publications + publication_key(manifest.batch), publication.to_json())
    except DuplicateNumberError:
        log(f"batch {manifest.batch}: another run published it first")
    if publication.batch // BATCHES > (publication.first - 1) // BATCHES:
        gather(place.lake, log)
    return publication


def _bring(batch: Batch, log: Callable[[str], None]) -> dict[str, TablePublication]:
    tables: dict[str, TablePublication] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        running: dict[str, Future[Outcome]] = {}
        # A table waits for those that it refers to, which began before it: some thread is always at work.
        references = References(batch, lambda name: running[name].result().after)
        for table in _IN_ORDER:
            running[table.name] = pool.submit(_again, table, lambda t=table: _table(batch, t, references))
        further: dict[str, Future[TablePublication]] = {
            table.name: pool.submit(_again, table, lambda n=name: histories.record(batch, n, running[n].result()))
            for name, table in HISTORIES.items()
        }
        outcomes = {name: future.result() for name, future in running.items()}
        for name, outcome in outcomes.items():
            _tell(batch, name, outcome.after, log)
        years = frozenset[int]().union(*(outcome.years for outcome in outcomes.values()))
        further[DIM_DATE.name] = pool.submit(_again, DIM_DATE, lambda: calendars.record(batch, years))
        further[SOURCE_DELETION.name] = pool.submit(
            _again, SOURCE_DELETION, lambda: deletions.record(batch, outcomes.items())
        )
        held = pool.submit(_again, LAKE_TABLES["quarantine"], lambda: quarantine.record(batch, outcomes))
        tables |= {name: outcome.after for name, outcome in outcomes.items()}
        tables |= {name: future.result() for name, future in further.items()}
        tables |= held.result()
    return tables


def _table(batch: Batch, table: StarTable, references: References) -> Outcome:
    if not is_offered(batch, table):
        outcome = Outcome(unchanged(batch.before[table.name]))
    else:
        batch.place.lake.ensure(table)
        names = (table.source, *table.joins)
        rows = max(batch.manifest.tables[name].rows for name in names) + batch.before[table.name].quarantined
        outcome = (small if rows <= small.SMALL_ROWS else bulk).bring(batch, table, references)
    return deletions.reconciled(batch, table, outcome)


def _tell(batch: Batch, name: str, after: TablePublication, log: Callable[[str], None]) -> None:
    before = batch.before[name]
    if after.rows or after.deleted or after.surplus or after.quarantined or before.quarantined:
        held = f", {after.quarantined} held back" if after.quarantined or before.quarantined else ""
        surplus = f", {after.surplus} deleted ones to be named by a key list" if after.surplus else ""
        log(
            f"batch {batch.number}: {name} inserted {after.inserted}, updated {after.updated}, deleted {after.deleted}"
            f"{held}{surplus}"
        )


def _again(table: StarTable, work: Callable[[], T]) -> T:
    """Work on a table, anew when another run commits to it meanwhile; turn an error of Spark into the job's own."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except ConflictError:
            if attempt == ATTEMPTS:
                raise
        except SPARK_ERRORS as error:
            raise explained(error, table.name) from None
    raise AssertionError("unreachable")
