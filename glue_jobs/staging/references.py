"""Whether what a row refers to is there: in the lake, or among the batch's rows that it is joined with."""

from collections.abc import Callable, Collection

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from contracts.protocol.publication import TablePublication
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.star import STAR_TABLES
from contracts.tables.table import StarTable
from glue_jobs.context import Batch
from glue_jobs.lake.pruning import among
from glue_jobs.staging.rows import good_rows, own_problem
from glue_jobs.star.conversion import PROBLEM

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
        if self._batch.context.is_partial:
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
        found = self._batch.context.lake.read(star).where(among(star.key, inside)).select(star.key).distinct()
        return outside | inside - {row[0] for row in found.collect()}

    def ends(self, table: StarTable) -> list[Column]:
        """Return the aggregates that `hold` looks at: the lowest and the highest value of each column that refers to something."""
        return [
            end(name).alias(f"_{label}_{name}")
            for _, name in self._pointing(table)
            if name
            for label, end in (("lowest", F.min), ("highest", F.max))
        ]

    def hold(self, table: StarTable, ends: Row) -> bool:
        """Tell whether every row that the batch has written to `table` refers to what exists.

        Parameters
        ----------
        ends
            The aggregates `ends` over these rows.
        """
        written = self._batch.context.lake.read(table).where(F.col("batch_id") == self._batch.number)
        pointing = [(parent, name) for parent, name in self._pointing(table) if name]
        if len(pointing) < len(self._pointing(table)):
            return False  # some of what it refers to is joined, and told by the rows themselves
        for parent, name in pointing:
            lowest, highest = ends[f"_lowest_{name}"], ends[f"_highest_{name}"]
            after = self._finished(_BY_SOURCE[parent].name)
            if lowest is None or (after.is_gapless and after.lowest_key <= lowest and highest <= after.highest_key):
                continue
            keys = self._keys(_BY_SOURCE[parent]).toDF("_found")
            values = written.where(F.col(name).isNotNull())
            if values.join(keys, F.col(name) == F.col("_found"), "left_anti").limit(1).count():
                return False
        return True

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
                    self._batch.context.lake.read(star).select(star.key).distinct()
                    if star
                    else self._joined_keys(parent)
                )
                found = keys.select(F.col(keys.columns[0]).alias(f"_found_{column}"))
                raw = raw.join(found, F.col(column).cast("int") == F.col(f"_found_{column}"), "left")
                outside = f"`_found_{column}` is null"
            missing[column] = f"`{column}` is not null and {outside}"
        return raw.withColumn(PROBLEM, own_problem(self._batch, source, missing))

    def _pointing(self, table: StarTable) -> list[tuple[str, str | None]]:
        """Return, for each column of the source that refers to something, that table and the star column that it becomes."""
        return [(parent, _star_column(table, column, parent)) for column, parent in self.columns(table).items()]

    def _keys(self, star: StarTable) -> DataFrame:
        return self._batch.context.lake.read(star).select(star.key).distinct()

    def _joined_keys(self, parent: str) -> DataFrame:
        key = SOURCE_TABLES[parent].key
        return good_rows(self._batch, parent).select(F.col(key).cast("int").alias(key))


def _star_column(table: StarTable, column: str, parent: str) -> str | None:
    """Return the column of a star table that a column of its source, which refers to `parent`, becomes."""
    target = _BY_SOURCE[parent].name if parent in _BY_SOURCE else None
    for star in table.columns:
        if star.name == column or (star.references and star.references.partition(".")[0] == target):
            return star.name
    return None
