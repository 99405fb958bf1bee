"""The only file that knows Iceberg: creating, reading and committing the lake's tables.

Every commit carries the snapshot property ``batch-id`` and the figures that the publication will
need, so that a run that starts after a crash finds which tables are done and what was done to them.
Tables are format version 2 and copy-on-write: Athena reads nothing newer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.batch import DataFile
from contracts.star import LINEAGE
from contracts.table import StarTable

CATALOG = "glue_catalog"
BATCH_ID = "batch-id"
_PROPERTIES = {
    "format-version": "2",
    "write.delete.mode": "copy-on-write",
    "write.update.mode": "copy-on-write",
    "write.merge.mode": "copy-on-write",
    "write.parquet.compression-codec": "zstd",
    "write.distribution-mode": "none",
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
        The numbers that `Lake.append` or `Lake.replace` were given.
    """

    snapshot_id: str
    batch: int
    figures: dict[str, int]


class Lake:
    """The star tables of one Glue database.

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

    def ensure(self, table: StarTable) -> None:
        """Create a table that is missing, and add columns that the contract has gained."""
        name = self._name(table)
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
        present = set(self._spark.table(name).columns)
        if missing := [c for c in columns if c.name not in present]:
            lines = ", ".join(f"`{c.name}` {c.type.spark} comment {_quoted(c.description)}" for c in missing)
            self._spark.sql(f"alter table {name} add columns ({lines})")

    def read(self, table: StarTable) -> DataFrame:
        """Return the table as it is now."""
        return self._spark.table(self._name(table))

    def last_commit(self, table: StarTable) -> Commit | None:
        """Return the newest commit that a batch made, or None; maintenance commits do not count."""
        rows = (
            self._spark.table(f"{self._name(table)}.snapshots")
            .where(F.col("summary")[BATCH_ID].isNotNull())
            .orderBy(F.col("committed_at").desc())
            .select("snapshot_id", "summary")
            .limit(1)
            .collect()
        )
        if not rows:
            return None
        summary = rows[0]["summary"]
        figures = {key[len("figure-") :]: int(value) for key, value in summary.items() if key.startswith("figure-")}
        return Commit(str(rows[0]["snapshot_id"]), int(summary[BATCH_ID]), figures)

    def append(self, table: StarTable, rows: DataFrame, batch: int, figures: Mapping[str, int]) -> None:
        """Commit the rows that `batch` adds.

        It replaces what an overlapping run of the same batch may have committed: the rows of the
        batch are in the table once, whoever commits last.
        """
        writer = self._writer(table, rows, batch, figures)
        writer.overwrite(F.col("batch_id") == F.lit(batch))  # type: ignore[attr-defined]

    def replace(self, table: StarTable, rows: DataFrame, batch: int, figures: Mapping[str, int]) -> None:
        """Commit `rows` as the new content of the partitions that they lie in, whole."""
        writer = self._writer(table, rows, batch, figures)
        writer.overwritePartitions()  # type: ignore[attr-defined]

    def files(self, table: StarTable, snapshot_id: str) -> tuple[DataFile, ...]:
        """Return the data files that a snapshot added."""
        rows = (
            self._spark.table(f"{self._name(table)}.all_entries")
            .where(F.col("snapshot_id") == int(snapshot_id))
            .where(F.col("status") == 1)
            .select("data_file.file_path", "data_file.file_size_in_bytes", "data_file.record_count")
            .distinct()
            .collect()
        )
        files = [DataFile(self._key(r["file_path"]), r["file_size_in_bytes"], r["record_count"]) for r in rows]
        return tuple(sorted(files, key=lambda f: f.key))

    def _writer(self, table: StarTable, rows: DataFrame, batch: int, figures: Mapping[str, int]) -> object:
        columns = [c.name for c in (*table.columns, *LINEAGE)]
        writer = rows.select(*columns).writeTo(self._name(table)).option(f"snapshot-property.{BATCH_ID}", str(batch))
        for key, value in figures.items():
            writer = writer.option(f"snapshot-property.figure-{key}", str(value))
        # The rows of one partition come together, so that a commit adds one file a partition and task.
        return writer.option("fanout-enabled", "true")

    def _name(self, table: StarTable) -> str:
        return f"{CATALOG}.`{self._database}`.`{table.name}`"

    def _key(self, path: str) -> str:
        return re.sub(f"^s3a?://{re.escape(self._bucket)}/", "", path)


def touched(existing: DataFrame, changed: DataFrame, table: StarTable) -> DataFrame:
    """Return the rows of `existing` in the partitions that `changed` touches, less the changed keys.

    Together with the changed rows they are what `Lake.replace` needs.
    """
    kept = existing.join(changed.select(table.key), table.key, "left_anti")
    if not table.partitioning:
        return kept
    (width,) = re.findall(r"truncate\((\d+), \w+\)", table.partitioning[0])
    bucket = F.floor(F.col(table.key) / int(width))
    return kept.withColumn("_bucket", bucket).join(
        changed.select(bucket.alias("_bucket")).distinct(), "_bucket", "left_semi"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
