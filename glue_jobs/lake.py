"""The only file that knows Iceberg: creating, reading and committing the lake's tables.

Every commit of a batch carries the snapshot property ``batch-id`` and the figures that the publication will need, so
that a run that starts after a crash finds which tables are done and what was done to them. Metadata (snapshots,
files) is read through Iceberg's own Java interface: a Spark query for each would cost more than most batches.
Tables are format version 2 and copy-on-write: Athena reads nothing newer.
"""

import functools
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from contracts.publication import DataFile
from contracts.star import LINEAGE
from contracts.table import StarTable
from glue_jobs.errors import ConflictError, TransformError
from glue_jobs.partitions import bucket, condition, month, width

CATALOG = "glue_catalog"
BATCH_ID = "batch-id"
FIGURES = "figures"
_SPARK_CATALOG = "org.apache.iceberg.spark.SparkCatalog"
_CONFLICTS = ("ValidationException", "CommitFailedException")
#: More than the small files of a partition will ever have together.
_ONE_FILE_BYTES = 2**30
_PROPERTIES = {
    "format-version": "2",
    "write.delete.mode": "copy-on-write",
    "write.update.mode": "copy-on-write",
    "write.merge.mode": "copy-on-write",
    "write.parquet.compression-codec": "zstd",
    # Hashes are all distinct: a large dictionary of them is half the work of writing them, and is thrown away.
    "write.parquet.dict-size-bytes": str(64 * 2**10),
    "write.distribution-mode": "none",
    # Newest versions are looked up by key: the smaller the groups, the less is read around them.
    "write.parquet.row-group-size-bytes": str(2**20),
    # Each commit writes a list of its files, and each plan reads all of them.
    "commit.manifest.min-count-to-merge": "8",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
}


@dataclass(frozen=True, slots=True)
class Commit:
    """The newest commit of a table that a batch made.

    Attributes
    ----------
    snapshot_id
        Iceberg snapshot, as text.
    batch
        The batch that made it.
    figures
        What `Lake.append` or `Lake.replace` was given, or empty.
    """

    snapshot_id: str
    batch: int
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """A table as it was when it was looked at.

    Attributes
    ----------
    snapshot_id
        Its newest snapshot, as text, or "" when it has none.
    commit
        The newest commit that a batch made, or None when there is none or maintenance has expired it.
    """

    snapshot_id: str
    commit: Commit | None

    def of_batch(self, batch: int) -> Commit | None:
        """Return the commit if it is that of `batch`."""
        return self.commit if self.commit and self.commit.batch == batch else None


class Lake:
    """The tables of one Glue database.

    Parameters
    ----------
    spark
        A session whose catalog `CATALOG` is an Iceberg catalog.
    database
        Name of the Glue database.
    bucket
        The processed bucket: data files must lie in it.
    """

    def __init__(self, spark: SparkSession, database: str, bucket: str) -> None:
        self._spark = spark
        self._database = database
        self._bucket = bucket
        self._prefix = (spark.conf.get(f"spark.sql.catalog.{CATALOG}") or "").removesuffix(_SPARK_CATALOG)
        self._util = self._java("spark.Spark3Util")

    def ensure(self, table: StarTable) -> None:
        """Create a table that is missing, and add columns that the contract has gained."""
        name = self.name(table)
        columns = (*table.columns, *LINEAGE)
        if not self._spark.catalog.tableExists(name):
            lines = ", ".join(f"`{c.name}` {c.type.spark} comment {_quoted(c.description)}" for c in columns)
            partitioned = f"partitioned by ({', '.join(table.partitioning)})" if table.partitioning else ""
            properties = ", ".join(f"'{key}' = '{value}'" for key, value in _PROPERTIES.items())
            self._spark.sql(
                f"create table if not exists {name} ({lines}) using iceberg {partitioned} "
                f"comment {_quoted(table.description)} tblproperties ({properties})"
            )
            return
        present = {field.name() for field in self._load(table).schema().columns()}
        if missing := [c for c in columns if c.name not in present]:
            lines = ", ".join(f"`{c.name}` {c.type.spark} comment {_quoted(c.description)}" for c in missing)
            self._spark.sql(f"alter table {name} add columns ({lines})")

    def read(self, table: StarTable, snapshot_id: str = "") -> DataFrame:
        """Return the table as it is now, or as it was in a snapshot."""
        if snapshot_id:
            return self._spark.read.option("snapshot-id", snapshot_id).table(self.name(table))
        return self._spark.table(self.name(table))

    def head(self, table: StarTable) -> Head:
        """Return the newest snapshot, and the newest that a batch made; maintenance does not count."""
        loaded = self._load(table)
        snapshot = newest = loaded.currentSnapshot()
        while snapshot is not None and snapshot.summary().get(BATCH_ID) is None:
            parent = snapshot.parentId()
            snapshot = None if parent is None else loaded.snapshot(parent)
        commit = None
        if snapshot is not None:
            summary = snapshot.summary()
            figures = json.loads(summary.get(FIGURES) or "{}")
            commit = Commit(str(snapshot.snapshotId()), int(summary.get(BATCH_ID)), figures)
        return Head("" if newest is None else str(newest.snapshotId()), commit)

    def append(self, table: StarTable, rows: DataFrame, batch: int, figures: Mapping[str, Any], head: Head) -> None:
        """Commit the rows that `batch` adds to what the table was at `head`.

        Rows that an earlier, unfinished try of the batch committed are replaced.

        Raises
        ------
        ConflictError
            When another run has committed the batch since. Nothing was committed.
        """
        self._commit(
            self._writer(table, rows, batch, figures, head), lambda w: w.overwrite(F.col("batch_id") == F.lit(batch))
        )

    def replace(self, table: StarTable, rows: DataFrame, batch: int, figures: Mapping[str, Any], head: Head) -> None:
        """Commit `rows` as the new content of the partitions that they lie in, whole.

        Raises
        ------
        ConflictError
            When these partitions have changed since `head`. Nothing was committed.
        """
        self._commit(self._writer(table, rows, batch, figures, head), lambda w: w.overwritePartitions())

    def overwrite(self, table: StarTable, rows: DataFrame, batch: int, figures: Mapping[str, Any], head: Head) -> None:
        """Commit `rows` as the new content of the table, whole.

        Raises
        ------
        ConflictError
            When the table has changed since `head`. Nothing was committed.
        """
        self._commit(self._writer(table, rows, batch, figures, head), lambda w: w.overwrite(F.lit(True)))

    def files(self, table: StarTable, snapshot_id: str) -> tuple[DataFile, ...]:
        """Return the data files that a snapshot added."""
        loaded = self._load(table)
        return self._listed(_iterate(loaded.snapshot(int(snapshot_id)).addedDataFiles(loaded.io())))

    def files_after(self, table: StarTable, batch: int) -> tuple[DataFile, ...]:
        """Return all data files of the table as it was after `batch`, maintenance since then included.

        Raises
        ------
        TransformError
            When only what a later batch has made of it is left.
        """
        loaded = self._load(table)
        found, snapshot = None, loaded.currentSnapshot()
        while snapshot is not None:
            number = snapshot.summary().get(BATCH_ID)
            found = None if number is not None and int(number) > batch else found or snapshot
            if found and number is not None:
                break
            parent = snapshot.parentId()
            snapshot = None if parent is None else loaded.snapshot(parent)
        if loaded.currentSnapshot() is None:
            return ()
        if found is None:
            raise TransformError(
                f"Table {table.name}: a batch after {batch} has changed it, is not published, and the snapshot before it is "
                f"gone. Run the transform, then list the files again."
            )
        return self._listed(
            task.file() for task in _iterate(loaded.newScan().useSnapshot(found.snapshotId()).planFiles())
        )

    def exists(self, table: StarTable) -> bool:
        """Tell whether the table was ever created."""
        return bool(self._spark.catalog.tableExists(self.name(table)))

    def compact(self, table: StarTable) -> int:
        """Rewrite every partition of several files as one file, in the order of its keys.

        Returns
        -------
        int
            How many partitions.

        Raises
        ------
        ConflictError
            When such a partition has changed meanwhile. Nothing was committed.
        """
        head, loaded = self.head(table), self._load(table)
        files: Counter[str] = Counter()
        for task in _iterate(loaded.newScan().planFiles()):
            file = task.file()
            files[str(loaded.specs().get(file.specId()).partitionToPath(file.partition()))] += 1
        scattered = [path for path, count in files.items() if count > 1]
        if not scattered:
            return 0
        conditions = " or ".join(condition(path, width(table)) for path in scattered)
        rows = self.read(table, head.snapshot_id).where(conditions)
        part = bucket(table)
        number = month(table) if part is None else part
        rows = rows.coalesce(1) if number is None else rows.repartition(number)
        order = [table.key, table.record_id] if table.record_id else [table.key]
        writer = self._writer(table, rows.sortWithinPartitions(*order), None, {}, head)
        self._commit(writer, lambda w: w.overwritePartitions())
        return len(scattered)

    def gather(self, table: StarTable, least: int, small_bytes: int) -> int:
        """Rewrite the small files of each partition that has many of them as one file, in the order of its keys.

        Parameters
        ----------
        least
            Partitions with fewer small files are left alone.
        small_bytes
            Files of this size and larger are left alone.

        Returns
        -------
        int
            How many files were rewritten.

        Raises
        ------
        ConflictError
            When such a file was replaced meanwhile. Nothing was committed.
        """
        loaded = self._load(table)
        snapshot = loaded.currentSnapshot()
        if snapshot is None or int(snapshot.summary().get("total-data-files")) < least:
            return 0
        order = self._java("SortOrder").builderFor(loaded.schema())
        for column in filter(None, (table.key, table.record_id)):
            order = order.asc(column)
        action = self._java("spark.actions.SparkActions").get(self._spark._jsparkSession).rewriteDataFiles(loaded)
        action = action.sort(order.build())
        options = {
            "min-input-files": least,
            "min-file-size-bytes": small_bytes,
            "target-file-size-bytes": _ONE_FILE_BYTES,
            "max-concurrent-file-group-rewrites": 2,
        }
        for name, value in options.items():
            action = action.option(name, str(value))
        try:
            return int(action.execute().rewrittenDataFilesCount())
        except Py4JJavaError as error:
            raise _translated(error) from None

    def rewrite_manifests(self, table: StarTable) -> None:
        """Bring the lists of data files together."""
        self._call("rewrite_manifests", table, "use_caching => false")

    def expire(self, table: StarTable, keep_days: int) -> int:
        """Forget snapshots older than `keep_days`; return how many data files went with them."""
        limit = (datetime.now(UTC) - timedelta(days=keep_days)).strftime("%Y-%m-%d %H:%M:%S.%f")
        answer = self._call("expire_snapshots", table, f"older_than => timestamp '{limit}', retain_last => 1")
        return int(answer["deleted_data_files_count"])

    def _call(self, procedure: str, table: StarTable, arguments: str) -> Row:
        statement = f"call {CATALOG}.system.{procedure}(table => '{self._database}.{table.name}', {arguments})"
        answer: Row = self._spark.sql(statement).collect()[0]
        return answer

    def name(self, table: StarTable) -> str:
        """Return the table's name in SQL."""
        return f"{CATALOG}.`{self._database}`.`{table.name}`"

    def _load(self, table: StarTable) -> Any:
        loaded = self._util.loadIcebergTable(self._spark._jsparkSession, self.name(table))
        loaded.refresh()  # another run may have committed since this session last looked
        return loaded

    def _java(self, name: str) -> Any:
        """Return a class of Iceberg, which lies in another package where its jar is a shaded one."""
        return functools.reduce(getattr, f"{self._prefix}org.apache.iceberg.{name}".split("."), self._spark._jvm)

    def _writer(
        self, table: StarTable, rows: DataFrame, batch: int | None, figures: Mapping[str, Any], head: Head
    ) -> Any:
        columns = [c.name for c in (*table.columns, *LINEAGE)]
        # Each task keeps one file a partition open, so its rows need no sorting.
        writer = rows.select(*columns).writeTo(self.name(table)).option("fanout-enabled", "true")
        if batch is not None:
            writer = writer.option(f"snapshot-property.{BATCH_ID}", str(batch))
            writer = writer.option(f"snapshot-property.{FIGURES}", json.dumps(figures))
        if head.snapshot_id:
            writer = writer.option("isolation-level", "serializable")
            writer = writer.option("validate-from-snapshot-id", head.snapshot_id)
        return writer

    def _commit(self, writer: Any, write: Any) -> None:
        try:
            write(writer)
        except Py4JJavaError as error:
            raise _translated(error) from None

    def _listed(self, files: Iterable[Any]) -> tuple[DataFile, ...]:
        listed = [DataFile(self._key(str(f.path())), int(f.fileSizeInBytes()), int(f.recordCount())) for f in files]
        return tuple(sorted(listed, key=lambda f: f.key))

    def _key(self, path: str) -> str:
        return re.sub(f"^s3a?://{re.escape(self._bucket)}/", "", path)


def _translated(error: Py4JJavaError) -> Exception:
    is_conflict = any(name in str(error) for name in _CONFLICTS)
    return ConflictError("another run has committed to the table") if is_conflict else error


def _iterate(iterable: Any) -> Any:
    iterator = iterable.iterator()
    while iterator.hasNext():
        yield iterator.next()


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
