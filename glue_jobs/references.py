"""Whether what a row refers to is there: in the lake, or among the batch's rows that it is joined with."""

from collections.abc import Callable, Collection

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.batch import TablePublication
from contracts.source import SOURCE_TABLES
from contracts.star import STAR_TABLES
from contracts.table import StarTable
from glue_jobs.incoming import good_rows
from glue_jobs.lake import among
from glue_jobs.star.typed import PROBLEM, problem
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

    def marked(self, table: StarTable, raw: DataFrame) -> DataFrame:
        """Give raw rows their problem, references included; for any number of rows."""
        source = SOURCE_TABLES[table.source]
        missing = {}
        for column, parent in self.columns(table).items():
            star = None if parent in table.joins else _BY_SOURCE[parent]
            after = self._finished(star.name) if star else None
            if after and after.is_gapless:
                outside = f"not cast(`{column}` as int) between {after.lowest_key} and {after.highest_key}"
            else:
                keys = (
                    self._batch.place.lake.read(star).select(star.key).distinct() if star else self._joined_keys(parent)
                )
                found = keys.select(F.col(keys.columns[0]).alias(f"_found_{column}"))
                raw = raw.join(found, F.col(column).cast("int") == F.col(f"_found_{column}"), "left")
                outside = f"`_found_{column}` is null"
            missing[column] = f"`{column}` is not null and {outside}"
        return raw.withColumn(PROBLEM, problem(source, missing))

    def _joined_keys(self, parent: str) -> DataFrame:
        key = SOURCE_TABLES[parent].key
        return good_rows(self._batch, parent).select(F.col(key).cast("int").alias(key))
