"""From one committed batch to one publication: every star table, then the commit."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from py4j.protocol import Py4JJavaError
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from contracts.batch import FORMAT, Manifest, Publication, TablePublication
from contracts.errors import DuplicateNumberError
from contracts.layout import publication_key
from contracts.source import SOURCE_TABLES
from contracts.star import DIM_DATE, FACTS, STAR_TABLES
from contracts.store import Bucket
from contracts.table import StarTable
from glue_jobs.corrections import Corrections
from glue_jobs.errors import IngestionDamagedError, LakeReconciliationError, RejectedRowError, TransformError
from glue_jobs.lake import Lake, touched
from glue_jobs.reader import check_parts, expected_rows
from glue_jobs.star import BUILDERS, calendar
from glue_jobs.star.typed import conformed, rejection, typed
from glue_jobs.star.versions import classified, newest_hashes, partition_statistics, record_ids, with_hash

#: Tables worked on at a time; on two cores four threads keep both busy.
THREADS = 4


@dataclass(frozen=True, slots=True)
class Workplace:
    """What every step needs: the session, the two buckets and the lake."""

    spark: SparkSession
    ingestion: Bucket
    processed: Bucket
    lake: Lake


def publish(
    place: Workplace,
    manifest: Manifest,
    previous: Publication | None,
    later: Callable[[], Sequence[Manifest]],
    log: Callable[[str], None],
) -> Publication:
    """Bring one batch into the lake and publish it.

    Tables whose newest commit is this batch's already are left alone, so a run after a crash does
    exactly what is missing. Facts come before the calendar, which takes its years from them.

    Parameters
    ----------
    manifest, previous
        The batch, and the publication of the one before it.
    later
        Reads the batches that wait behind it; they may hold corrections of its rows.
    log
        Receives one line for each table that changed.

    Raises
    ------
    RejectedRowError
        A value does not convert. Nothing was published.
    IngestionDamagedError
        A part is missing or not what the manifest says.
    LakeReconciliationError
        Keys of the source are missing in the lake.
    """
    for name, extract in manifest.tables.items():
        check_parts(place.ingestion, name, extract)
    sourced = [table for table in STAR_TABLES.values() if table.source]

    def work(table: StarTable) -> TablePublication:
        place.lake.ensure(table)
        before = previous.tables[table.name] if previous else EMPTY
        corrections = Corrections(place.spark, place.ingestion.name, manifest, later)
        while True:
            try:
                after = _publish_table(place, manifest, table, before, corrections)
                break
            except Exception as error:
                if not (found := rejection(str(error))):
                    raise
                if not corrections.correct(found):
                    raise RejectedRowError(found.text) from None
                log(f"batch {manifest.batch}: {found.table} has refused rows; their corrections stand in")
        if after.rows:
            log(f"batch {manifest.batch}: {table.name} inserted {after.inserted}, updated {after.updated}")
        return after

    with ThreadPoolExecutor(THREADS) as pool:
        tables = dict(zip((t.name for t in sourced), pool.map(_explained(work), sourced), strict=True))
    tables[DIM_DATE.name] = _explained(work)(DIM_DATE)
    publication = Publication(
        format=FORMAT,
        batch=manifest.batch,
        first=previous.batch + 1 if previous else 1,
        snapshot_time=manifest.snapshot_time,
        published_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        tables=reconciled(manifest, tables),
    )
    try:
        place.processed.put_once(publication_key(manifest.batch), publication.to_json())
    except DuplicateNumberError:
        log(f"batch {manifest.batch}: another run published it first")
    return publication


EMPTY = TablePublication(
    snapshot_id="",
    files=(),
    inserted=0,
    updated=0,
    quarantined=0,
    first_record_id=0,
    last_record_id=0,
    current_keys=0,
    key_checksum=0,
    surplus=0,
)


def reconciled(manifest: Manifest, tables: Mapping[str, TablePublication]) -> dict[str, TablePublication]:
    """Compare each table's keys with the source's count and key checksum in the batch's snapshot.

    The lake keeps the keys that the source has deleted, so it may hold more; it may never hold fewer
    or others.

    Returns
    -------
    dict
        `tables` with `surplus` filled in.

    Raises
    ------
    LakeReconciliationError
        Naming table, counts and checksums.
    """
    result = {}
    for name, after in tables.items():
        star = STAR_TABLES[name]
        surplus = 0
        if star.source:
            source = manifest.tables[star.source]
            surplus = after.current_keys - source.source_count
            if surplus < 0 or (surplus == 0 and after.key_checksum != source.source_key_checksum):
                raise LakeReconciliationError(
                    f"Batch {manifest.batch}, table {name}: the lake holds {after.current_keys} keys (checksum "
                    f"{after.key_checksum}), the source {source.source_count} (checksum {source.source_key_checksum}). "
                    f"Nothing was published. Rows of {star.source} were lost before the lake: compare the keys of the "
                    f"batch's parts with the source."
                )
        result[name] = replace(after, surplus=surplus)
    return result


def _publish_table(
    place: Workplace, manifest: Manifest, table: StarTable, before: TablePublication, corrections: Corrections
) -> TablePublication:
    commit = place.lake.last_commit(table)
    if commit is None or commit.batch != manifest.batch:
        incoming = _incoming(place, manifest, table, corrections)
        if incoming is None:
            return _unchanged(before)
        expected = expected_rows(place.spark, place.ingestion.name, manifest, table.source) if table.source else None
        rows = manifest.tables[table.source].rows if table.source else 0
        if not _commit_changes(
            place.lake, table, manifest.batch, incoming, rows, expected, before, is_empty=commit is None
        ):
            return _unchanged(before)
        commit = place.lake.last_commit(table)
    if commit is None:
        raise LakeReconciliationError(f"Batch {manifest.batch}, table {table.name}: its commit cannot be found again.")
    figures = commit.figures
    return TablePublication(
        snapshot_id=commit.snapshot_id,
        files=place.lake.files(table, commit.snapshot_id),
        inserted=figures["inserted"],
        updated=figures["updated"],
        quarantined=0,
        first_record_id=figures["first-record-id"],
        last_record_id=figures["last-record-id"],
        current_keys=before.current_keys + figures["inserted"],
        key_checksum=before.key_checksum + figures["inserted-checksum"],
        surplus=0,
    )


def _incoming(place: Workplace, manifest: Manifest, table: StarTable, corrections: Corrections) -> DataFrame | None:
    """Return the content that the batch offers for `table`, or None when it offers none."""
    if table is DIM_DATE:
        years = _years(place.lake, manifest.batch)
        return calendar.build(place.spark, years) if years else None
    names = (table.source, *table.joins)
    if all(manifest.tables[name].read == "nothing" for name in names):
        return None
    sources = {name: typed(corrections.raw(name), SOURCE_TABLES[name]) for name in names}
    return conformed(BUILDERS[table.name](sources), table)


def _commit_changes(
    lake: Lake,
    table: StarTable,
    batch: int,
    incoming: DataFrame,
    rows: int,
    expected: int | None,
    before: TablePublication,
    *,
    is_empty: bool,
) -> bool:
    """Find what changed and commit it; return whether anything did."""
    hashed = with_hash(incoming, table)
    known = lake.read(table)
    if table.is_append_only:
        known = known.where(F.col("batch_id") < batch)  # never compared with what a run of the same batch wrote
    newest = None if is_empty else newest_hashes(known, hashed, table)
    frame = classified(hashed, newest, table, rows).persist(StorageLevel.MEMORY_AND_DISK)
    try:
        statistics = {r["partition"]: r for r in partition_statistics(frame, table).collect()}
        received = sum(r["rows"] for r in statistics.values())
        if expected is not None and received != expected:
            raise IngestionDamagedError(
                f"Batch {batch}, table {table.name}: {received} rows were read, the manifest says {expected}. "
                f"Nothing was published."
            )
        changed = sum(r["changed"] for r in statistics.values())
        if not changed:
            return False
        inserted = sum(r["inserted"] for r in statistics.values())
        figures = {
            "inserted": inserted,
            "updated": changed - inserted,
            "inserted-checksum": sum(r["inserted_checksum"] for r in statistics.values()),
            "first-record-id": before.last_record_id + 1 if table.record_id else 0,
            "last-record-id": before.last_record_id + changed if table.record_id else 0,
        }
        new = frame.where("is_changed").withColumn("batch_id", F.lit(batch))
        if table.record_id:
            new = new.withColumn(table.record_id, record_ids(_first_ids(statistics, before.last_record_id + 1)))
        if table.is_append_only or not figures["updated"]:
            lake.append(table, new, batch, figures)
        else:
            columns = [*table.column_names, "batch_id", "row_hash"]
            kept = touched(lake.read(table), new, table).select(*columns)
            lake.replace(table, kept.unionByName(new.select(*columns)), batch, figures)
        return True
    finally:
        frame.unpersist()


def _first_ids(statistics: Mapping[int, Row], first: int) -> dict[int, int]:
    ids = {}
    for partition in sorted(statistics):
        ids[partition] = first
        first += statistics[partition]["changed"]
    return ids


def _years(lake: Lake, batch: int) -> list[int]:
    """Years that the batch's facts refer to and the calendar lacks."""
    used: set[int] = set()
    for fact in FACTS:
        dates = [c.name for c in fact.columns if c.references == "dim_date.date_id"]
        years = F.explode(F.array(*[F.year(name) for name in dates])).alias("year")
        rows = lake.read(fact).where(F.col("batch_id") == batch).select(years).distinct().collect()
        used.update(r["year"] for r in rows)
    if not used:
        return []
    before = lake.read(DIM_DATE).where(F.col("batch_id") < batch)  # what this batch added, a rerun adds again
    known = {r["year"] for r in before.select("year").distinct().collect()}
    return sorted(used - known)


def _unchanged(before: TablePublication) -> TablePublication:
    return replace(before, files=(), inserted=0, updated=0, first_record_id=before.last_record_id + 1)


def _first_line(error: Py4JJavaError) -> str:
    return str(error.java_exception.toString()).splitlines()[0]


def _explained(work: Callable[[StarTable], TablePublication]) -> Callable[[StarTable], TablePublication]:
    """Turn an error of Spark into the job's own, with the one line that matters."""

    def wrapped(table: StarTable) -> TablePublication:
        try:
            return work(table)
        except Exception as error:
            if isinstance(error, Py4JJavaError):
                raise TransformError(f"Table {table.name}: {_first_line(error)} Nothing was published.") from error
            raise

    return wrapped
