"""Whether what a row refers to is there: in the lake, or among the batch's rows that it is joined with."""

from collections.abc import Callable, Collection

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.batch import TablePublication
from contracts.source import SOURCE_TABLES
from contracts.star import STAR_TABLES
from contracts.table import SourceTable, StarTable
from glue_jobs.incoming import good_rows
from glue_jobs.lake import among
from glue_jobs.star.typed import PROBLEM, reference_problem
from glue_jobs.workplace import Batch

_BY_SOURCE = {table.source: table for table in STAR_TABLES.values() if table.source}


class References:
    """Answers for one batch.

    Parameters
    ----------
    finished
        Waits until the batch is in a star table, and returns its publication.
    """

    def __init__(self, batch: Batch, finished: Callable[[str], TablePublication]) -> None:
        self._batch = batch
        self._finished = finished

    def columns(self, table: StarTable) -> dict[str, str]:
        """Return the columns of a star table's source that refer to something, and the source table that they refer to."""
        source = SOURCE_TABLES[table.source]
        if self._batch.place.is_partial:
            return {}
        return {c.name: c.references.partition(".")[0] for c in source.columns if c.references}

    def missing(self, table: StarTable, parent: str, values: Collection[int]) -> set[int]:
        """Return those of `values` that do not exist as keys of the source table `parent`."""
        if not values:
            return set()
        if parent in table.joins:
            return set(values) - {row[0] for row in self._joined_keys(parent).collect()}
        star, after = _BY_SOURCE[parent], self._finished(_BY_SOURCE[parent].name)
        outside = {value for value in values if not after.lowest_key <= value <= after.highest_key}
        inside = set(values) - outside
        if after.is_gapless or not inside:
            return outside
        found = self._batch.place.lake.read(star).where(among(star.key, inside)).select(star.key).distinct()
        return outside | inside - {row[0] for row in found.collect()}

    def mark(self, table: StarTable, raw: DataFrame) -> DataFrame:
        """Give raw rows that refer to nothing their problem, unless they have one; for any number of rows."""
        source = SOURCE_TABLES[table.source]
        for column, parent in self.columns(table).items():
            value = F.col(column).cast("int")
            if parent in table.joins:
                raw = _mark(raw, source, column, self._joined_keys(parent))
                continue
            star, after = _BY_SOURCE[parent], self._finished(_BY_SOURCE[parent].name)
            if after.is_gapless:
                raw = _set(raw, source, column, ~value.between(after.lowest_key, after.highest_key))
            else:
                raw = _mark(raw, source, column, self._batch.place.lake.read(star).select(star.key).distinct())
        return raw

    def _joined_keys(self, parent: str) -> DataFrame:
        key = SOURCE_TABLES[parent].key
        return good_rows(self._batch, parent).select(F.col(key).cast("int").alias(key))


def _mark(raw: DataFrame, source: SourceTable, column: str, keys: DataFrame) -> DataFrame:
    found = keys.select(F.col(keys.columns[0]).alias("_found"))
    joined = raw.join(found, F.col(column).cast("int") == F.col("_found"), "left")
    return _set(joined, source, column, F.col("_found").isNull()).drop("_found")


def _set(raw: DataFrame, source: SourceTable, column: str, is_missing: Column) -> DataFrame:
    refers = F.col(column).isNotNull() & is_missing & (F.col(PROBLEM) == 0)
    return raw.withColumn(PROBLEM, F.when(refers, reference_problem(source, column)).otherwise(F.col(PROBLEM)))
