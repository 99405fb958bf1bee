"""What the job needs of Iceberg besides Spark's SQL: its own Java interface, and tables that exist.

Metadata (snapshots, files) is read through the Java interface: a Spark query for each would cost more than most batches.
Tables are format version 2 and copy-on-write: Athena reads nothing newer.
"""

import functools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from contracts.protocol.catalog import CATALOG
from contracts.tables.lake import LINEAGE
from contracts.tables.table import StarTable
from glue_jobs.errors import ConflictError
from glue_jobs.lake.snapshots import Snapshot

BATCH_ID = "batch-id"
_SPARK_CATALOG = "org.apache.iceberg.spark.SparkCatalog"
_CONFLICTS = ("ValidationException", "CommitFailedException")
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


class Tables:
    """The Iceberg tables of one Glue database.

    Parameters
    ----------
    spark
        A session whose catalog `CATALOG` is an Iceberg catalog.
    database
        Name of the Glue database.
    """

    def __init__(self, spark: SparkSession, database: str) -> None:
        self._spark = spark
        self._database = database
        self._prefix = (spark.conf.get(f"spark.sql.catalog.{CATALOG}") or "").removesuffix(_SPARK_CATALOG)
        self._util = self._java("spark.Spark3Util")
        self._schema_parser = self._java("SchemaParser")
        #: What `ensure` has found, by tables: the columns that the contract has given up.
        self._former: dict[str, dict[str, str]] = {}

    def name(self, table: StarTable) -> str:
        """Return the table's name in SQL."""
        return f"{CATALOG}.`{self._database}`.`{table.name}`"

    def exists(self, table: StarTable) -> bool:
        """Tell whether the table was ever created."""
        return bool(self._spark.catalog.tableExists(self.name(table)))

    def ensure(self, table: StarTable) -> None:
        """Create a table that is missing, and add columns that the contract has gained; looked at once by each run."""
        if table.name not in self._former:
            self._make(table)
            self._former[table.name] = self.former_columns(table)

    def _make(self, table: StarTable) -> None:
        name = self.name(table)
        columns = (*table.columns, *LINEAGE)
        if not self.exists(table):
            lines = ", ".join(f"`{c.name}` {c.type.spark} comment {_quoted(c.description)}" for c in columns)
            partitioned = f"partitioned by ({', '.join(table.partitioning)})" if table.partitioning else ""
            properties = ", ".join(f"'{key}' = '{value}'" for key, value in _PROPERTIES.items())
            self._spark.sql(
                f"create table if not exists {name} ({lines}) using iceberg {partitioned} "
                f"comment {_quoted(table.description)} tblproperties ({properties})"
            )
            return
        present = self._fields(table)
        if missing := [c for c in columns if c.name not in present]:
            lines = ", ".join(f"`{c.name}` {c.type.spark} comment {_quoted(c.description)}" for c in missing)
            self._spark.sql(f"alter table {name} add columns ({lines})")

    def former_columns(self, table: StarTable) -> dict[str, str]:
        """Return the columns, and their types, that the table still has and the contract does not."""
        if table.name in self._former:
            return self._former[table.name]
        known = {column.name for column in (*table.columns, *LINEAGE)}
        return {name: kind for name, kind in self._fields(table).items() if name not in known}

    def drop_column(self, table: StarTable, column: str) -> None:
        """Drop a column that the contract does not have any more; snapshots before keep it."""
        self._spark.sql(f"alter table {self.name(table)} drop column `{column}`")

    def _fields(self, table: StarTable) -> dict[str, str]:
        """Return the columns that the table has, with their types; in one answer, for each question to Java takes its time."""
        schema = json.loads(self._schema_parser.toJson(self._load(table).schema()))
        return {field["name"]: field["type"] for field in schema["fields"]}

    def _load(self, table: StarTable) -> Any:
        loaded = self._loaded(table)
        loaded.refresh()  # another run may have committed since this session last looked
        return loaded

    def _loaded(self, table: StarTable) -> Any:
        """Return a table as the session looked at it last."""
        return self._util.loadIcebergTable(self._spark._jsparkSession, self.name(table))

    def _java(self, name: str) -> Any:
        """Return a class of Iceberg, which lies in another package where its jar is a shaded one."""
        return functools.reduce(getattr, f"{self._prefix}org.apache.iceberg.{name}".split("."), self._spark._jvm)


def described(snapshot: Any) -> Snapshot | None:
    """Return what the job needs to know of one of Iceberg's snapshots, or None for none."""
    if snapshot is None:
        return None
    batch, parent = snapshot.summary().get(BATCH_ID), snapshot.parentId()
    return Snapshot(
        id=int(snapshot.snapshotId()),
        parent=None if parent is None else int(parent),
        batch=None if batch is None else int(batch),
        taken_at=datetime.fromtimestamp(snapshot.timestampMillis() / 1000, UTC),
    )


def translated(error: Py4JJavaError) -> Exception:
    """Return an error of Iceberg as the job's own where another run's commit is its cause."""
    is_conflict = any(name in str(error) for name in _CONFLICTS)
    return ConflictError("another run has committed to the table") if is_conflict else error


def iterate(iterable: Any) -> Iterator[Any]:
    """Go through one of Java's iterables."""
    iterator = iterable.iterator()
    while iterator.hasNext():
        yield iterator.next()


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
