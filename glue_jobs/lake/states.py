"""Reading the lake's tables: as they are now, as a batch left them, and which files that is."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from contracts.protocol.figures import Figures
from contracts.protocol.publication import DataFile
from contracts.tables.table import StarTable
from glue_jobs.errors import TransformError
from glue_jobs.lake.iceberg import BATCH_ID, Tables, described, iterate
from glue_jobs.lake.snapshots import state_after

FIGURES = "figures"


@dataclass(frozen=True, slots=True)
class Commit:
    """The newest commit of a table that a batch made.

    Attributes
    ----------
    snapshot_id
        Iceberg snapshot, as text.
    batch
        The batch that made it.
    table
        Name of the table.
    stored
        What it keeps of itself, as it is stored; "" when it keeps nothing.
    """

    snapshot_id: str
    batch: int
    table: str
    stored: str = ""

    @property
    def figures(self) -> Figures | None:
        """What `Lake.append` or `Lake.replace` was given, or None when that is still to be counted."""
        return None if self.stored in ("", "{}") else Figures.from_json(self.stored, self.table)


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


class States(Tables):
    """The Iceberg tables of one Glue database, and what states they are and were in.

    Parameters
    ----------
    spark
        A session whose catalog is an Iceberg catalog.
    database
        Name of the Glue database.
    bucket
        The processed bucket: data files must lie in it.
    """

    def __init__(self, spark: SparkSession, database: str, bucket: str) -> None:
        super().__init__(spark, database)
        self._bucket = bucket

    def read(self, table: StarTable, snapshot_id: str = "") -> DataFrame:
        """Return the table as it is now, or as it was in a snapshot."""
        if snapshot_id:
            return self._spark.read.option("snapshot-id", snapshot_id).table(self.name(table))
        return self._spark.table(self.name(table))

    def read_after(self, table: StarTable, batch: int) -> DataFrame:
        """Return the table as it was after `batch`: no commit of a later batch, or of this moment, changes what is read.

        Raises
        ------
        TransformError
            When only what a later batch has made of it is left.
        """
        state = self._state_after(table, self._load(table), batch)
        return self.read(table, str(state)) if state else self.read(table).where("false")

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
            stored = str(summary.get(FIGURES) or "")
            commit = Commit(str(snapshot.snapshotId()), int(summary.get(BATCH_ID)), table.name, stored)
        return Head("" if newest is None else str(newest.snapshotId()), commit)

    def files(self, table: StarTable, snapshot_id: str) -> tuple[DataFile, ...]:
        """Return the data files that a snapshot added, which is the newest that the session has seen, or an earlier one."""
        loaded = self._loaded(table)
        return self._listed(iterate(loaded.snapshot(int(snapshot_id)).addedDataFiles(loaded.io())))

    def files_after(self, table: StarTable, batch: int) -> tuple[DataFile, ...]:
        """Return all data files of the table as it was after `batch`, maintenance since then included.

        Raises
        ------
        TransformError
            When only what a later batch has made of it is left.
        """
        loaded = self._load(table)
        state = self._state_after(table, loaded, batch)
        return self._listed(t.file() for t in iterate(loaded.newScan().useSnapshot(state).planFiles())) if state else ()

    def _state_after(self, table: StarTable, loaded: Any, batch: int) -> int:
        state = state_after(described(loaded.currentSnapshot()), lambda id: described(loaded.snapshot(id)), batch)
        if state is None:
            raise TransformError(
                f"Table {table.name}: a batch after {batch} has changed it, is not published, and the snapshot before it is "
                f"gone. Nothing was published. Mend what that batch fails of and run the transform, or replay all batches "
                f"into another database."
            )
        return state

    def _listed(self, files: Iterable[Any]) -> tuple[DataFile, ...]:
        listed = [DataFile(self._key(str(f.path())), int(f.fileSizeInBytes()), int(f.recordCount())) for f in files]
        return tuple(sorted(listed, key=lambda f: f.key))

    def _key(self, path: str) -> str:
        return re.sub(f"^s3a?://{re.escape(self._bucket)}/", "", path)
