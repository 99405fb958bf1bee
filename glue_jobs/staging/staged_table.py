"""A staged table: what a batch has for a star table, handed to the strategy that applies it."""

from dataclasses import dataclass

from pyspark.sql import DataFrame

from contracts.protocol.publication import TablePublication
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.table import SourceTable, StarTable
from glue_jobs.context import Batch, Outcome, unchanged
from glue_jobs.lake.tables import Head
from glue_jobs.staging.parts import check_received, expected_rows
from glue_jobs.staging.references import References


@dataclass(frozen=True, slots=True)
class StagedTable:
    """One star table's part of a batch.

    Attributes
    ----------
    batch, table
        Which batch, and which star table.
    raw
        Rows of the table's source, each key once: the contract's columns as text, and whether a row was quarantined before.
    references
        Answers whether what rows refer to is there.
    """

    batch: Batch
    table: StarTable
    raw: DataFrame
    references: References

    @property
    def source(self) -> SourceTable:
        """The source table that the star table's key comes from."""
        return SOURCE_TABLES[self.table.source]

    @property
    def before(self) -> TablePublication:
        """The star table as the previous publication left it."""
        return self.batch.before[self.table.name]

    @property
    def expected(self) -> int | None:
        """How many rows the batch's own must be, or None when only the reconciliation can tell."""
        return expected_rows(self.batch.manifest, self.table.source)

    def check_received(self, rows: int) -> None:
        """Check that as many rows were read as the manifest says.

        Raises
        ------
        IngestionDamagedError
            When it were others.
        """
        check_received(self.batch.manifest, self.table.source, rows, self.expected)

    def head(self) -> Head:
        """Look at the star table as it is now."""
        return self.batch.head(self.table)

    def nothing(self) -> Outcome:
        """Return the outcome of a table that the batch leaves alone."""
        return Outcome(unchanged(self.before))
