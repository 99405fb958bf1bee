"""Committing the lake's tables: what batches add and change.

Every commit of a batch carries the snapshot property ``batch-id`` and the figures that the publication will need, so
that a run that starts after a crash finds which tables are done and what was done to them.
"""

from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.protocol.figures import Figures
from contracts.tables.lake import LINEAGE
from contracts.tables.table import StarTable
from glue_jobs.lake.iceberg import BATCH_ID, translated
from glue_jobs.lake.snapshots import NOTHING
from glue_jobs.lake.states import FIGURES, States
from glue_jobs.lake.states import Commit as Commit
from glue_jobs.lake.states import Head as Head


class Lake(States):
    """The lake's tables, as batches change them."""

    def append(self, table: StarTable, rows: DataFrame, batch: int, figures: Figures | None, head: Head) -> None:
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

    def replace(self, table: StarTable, rows: DataFrame, batch: int, figures: Figures | None, head: Head) -> None:
        """Commit `rows` as the new content of the partitions that they lie in, whole.

        Raises
        ------
        ConflictError
            When these partitions have changed since `head`. Nothing was committed.
        """
        self._commit(self._writer(table, rows, batch, figures, head), lambda w: w.overwritePartitions())

    def overwrite(self, table: StarTable, rows: DataFrame, batch: int, figures: Figures | None, head: Head) -> None:
        """Commit `rows` as the new content of the table, whole.

        Raises
        ------
        ConflictError
            When the table has changed since `head`. Nothing was committed.
        """
        self._commit(self._writer(table, rows, batch, figures, head), lambda w: w.overwrite(F.lit(True)))

    def take_back(self, table: StarTable, batch: int) -> None:
        """Make the table what it was after `batch`, whatever later ones have committed.

        Raises
        ------
        TransformError
            When that state is gone.
        ConflictError
            When another run commits to the table meanwhile. Nothing was committed.
        """
        loaded = self._load(table)
        state = self._state_after(table, loaded, batch)
        if state == NOTHING:
            return self.overwrite(table, self.read(table).where("false"), batch, None, self.head(table))
        try:
            loaded.manageSnapshots().setCurrentSnapshot(state).commit()
        except Py4JJavaError as error:
            raise translated(error) from None

    def _writer(self, table: StarTable, rows: DataFrame, batch: int | None, figures: Figures | None, head: Head) -> Any:
        columns = [F.col(c.name) for c in (*table.columns, *LINEAGE)]
        former = [  # what the contract has given up keeps its values until somebody drops it
            F.col(name) if name in rows.columns else F.lit(None).cast(kind).alias(name)
            for name, kind in self.former_columns(table).items()
        ]
        # Each task keeps one file a partition open, so its rows need no sorting.
        writer = rows.select(*columns, *former).writeTo(self.name(table)).option("fanout-enabled", "true")
        if batch is not None:
            writer = writer.option(f"snapshot-property.{BATCH_ID}", str(batch))
            if figures is not None:
                writer = writer.option(f"snapshot-property.{FIGURES}", figures.to_json())
        if head.snapshot_id:
            writer = writer.option("isolation-level", "serializable")
            writer = writer.option("validate-from-snapshot-id", head.snapshot_id)
        return writer

    def _commit(self, writer: Any, write: Any) -> None:
        try:
            write(writer)
        except Py4JJavaError as error:
            raise translated(error) from None
