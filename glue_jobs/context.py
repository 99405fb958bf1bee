"""What every step of a batch works with, and what it hands on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pyspark import StorageLevel
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.protocol.bucket import Bucket
from contracts.protocol.document import Tables
from contracts.protocol.manifest import Manifest
from contracts.protocol.publication import EMPTY, DataFile, Publication, TablePublication
from contracts.tables.lake import LAKE_TABLES, SOURCE_DELETION
from contracts.tables.table import StarTable
from glue_jobs.errors import LakeReconciliationError, OvertakenError
from glue_jobs.lake.maintenance import MaintainedLake
from glue_jobs.lake.tables import Commit, Head


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a run knows of a table's newest versions.

    Attributes
    ----------
    state
        The commits after which it is true: the table's newest one, and the newest one of deletions.
    hashes
        Key → content hash of its newest version, or None when the key is not current.
    """

    state: tuple[str, str]
    hashes: dict[int, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """The session, the two buckets and the lake.

    Attributes
    ----------
    publications
        What the keys of the publications begin with, before their usual keys; empty for the live lake.
    is_partial
        Whether the lake began in the middle: a replay of a range of batches. Then rows may refer to what came before,
        and counts cannot be compared with the source's.
    remembered
        What the run knows of the newest versions, by tables.
    """

    spark: SparkSession
    ingestion: Bucket
    processed: Bucket
    lake: MaintainedLake
    publications: str = ""
    is_partial: bool = False
    remembered: dict[str, Remembered] = field(default_factory=dict)


@dataclass(slots=True)
class Batch:
    """One batch on its way into the lake.

    Attributes
    ----------
    previous
        The newest publication before it, or None before the first.
    before
        Every table as that one left it.
    kept
        Frames that are kept in memory or on disk until the batch is published.
    """

    context: Context
    manifest: Manifest
    previous: Publication | None
    before: Mapping[str, TablePublication] = field(init=False)
    kept: list[DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Look up what was before."""
        self.before = Tables(self.previous.tables if self.previous else {}, LAKE_TABLES, EMPTY)

    @property
    def number(self) -> int:
        """The batch's number."""
        return self.manifest.batch

    @property
    def published(self) -> int:
        """Number of the newest publication before it, or 0."""
        return self.previous.batch if self.previous else 0

    @property
    def has_deletions(self) -> bool:
        """Whether an earlier batch found any key deleted."""
        return self.before[SOURCE_DELETION.name].current_keys > 0

    @property
    def moment(self) -> Column:
        """When the batch's snapshot was taken, UTC, without zone."""
        time = datetime.fromisoformat(self.manifest.snapshot_time).astimezone(UTC)
        return F.lit(time.strftime("%Y-%m-%d %H:%M:%S.%f")).cast("timestamp_ntz")

    @property
    def created_utc(self) -> Column:
        """When the source row was written: ``created_at``, which the source's server has in its own zone.

        A zone that is not known, or that Java does not know, counts as UTC.
        """
        created, zone = F.col("created_at").cast("timestamp_ntz"), self.manifest.time_zone
        is_known = _is_known(self.context.spark, zone)
        return F.convert_timezone(F.lit(zone), F.lit("UTC"), created) if is_known else created

    def keep(self, frame: DataFrame) -> DataFrame:
        """Compute a frame once only."""
        self.kept.append(frame.persist(StorageLevel.MEMORY_AND_DISK))
        return frame

    def release(self) -> None:
        """Give back what `keep` holds."""
        while self.kept:
            self.kept.pop().unpersist()

    def rows_before(self, table: StarTable) -> DataFrame:
        """Return a table as it was before the batch, without what an earlier try of it has committed."""
        return self.context.lake.read_after(table, self.published)

    def begin(self, table: StarTable) -> None:
        """Take back what a batch has committed to a table that was never published: this one takes its place.

        Raises
        ------
        ConflictError
            When another run commits to the table meanwhile.
        """
        if self.number - self.published < 2 or not self.context.lake.exists(table):
            return  # no batch lies between
        commit = self.head(table).commit
        if commit and self.published < commit.batch < self.number:
            self.context.lake.take_back(table, self.published)

    def head(self, table: StarTable) -> Head:
        """Look at a table.

        Raises
        ------
        OvertakenError
            When a later batch has been there.
        """
        head = self.context.lake.head(table)
        if head.commit and head.commit.batch > self.number:
            raise OvertakenError(
                f"Batch {self.number}, table {table.name}: batch {head.commit.batch} is in the lake already. Another run is "
                f"further; this one has nothing to do."
            )
        return head

    def commit_of(self, table: StarTable) -> tuple[Commit, tuple[DataFile, ...]]:
        """Return the batch's commit of a table, and its files.

        Raises
        ------
        LakeReconciliationError
            When there is none.
        """
        commit = self.head(table).of_batch(self.number)
        if commit is None:
            raise LakeReconciliationError(
                f"Batch {self.number}, table {table.name}: its commit cannot be found again. Nothing was published; run "
                f"the transform again."
            )
        return commit, self.context.lake.files(table, commit.snapshot_id)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one table.

    Attributes
    ----------
    after
        Its publication.
    raw
        Its rows as text, the held ones of earlier batches among them; None when the batch holds nothing of it.
    quarantined
        Rows that are quarantined: ``source_key``, ``column_name``, ``value``, ``reason``, ``has_older_version``, ``content``.
    deleted
        Keys found deleted, as ``source_key``.
    years
        Years that the batch's rows refer to.
    changed
        Of a dimension with a history, what the batch has written, where that is at hand: content columns, ``row_hash`` and
        ``created``.
    """

    after: TablePublication
    raw: DataFrame | None = None
    quarantined: DataFrame | None = None
    deleted: DataFrame | None = None
    years: frozenset[int] = frozenset()
    changed: DataFrame | None = None


def unchanged(before: TablePublication) -> TablePublication:
    """Return the publication of a table that a batch leaves alone."""
    return replace(
        before, files=(), inserted=0, updated=0, deleted=0, surplus=0, first_record_id=before.last_record_id + 1
    )


def _is_known(spark: SparkSession, zone: str) -> bool:
    java = spark._jvm
    if not zone or java is None:
        return False
    try:
        java.java.time.ZoneId.of(zone)
    except PySparkException:
        return False
    return True
