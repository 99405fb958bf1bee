"""Star rows of a small batch, collected: computed once, looked at here, and handed back as far as they are to be written."""

from collections.abc import Collection
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from contracts.tables.table import StarTable
from glue_jobs.staging.frames import local
from glue_jobs.star.content import date_columns
from glue_jobs.star.conversion import PROBLEM


class CollectedRows:
    """The rows of a frame, by columns.

    Parameters
    ----------
    frame
        The table's content columns, ``row_hash``, ``_problem``, and others. Of a row with a problem, only these others and the
        key have a meaning.
    are_few
        Whether they come one by one, for which Spark needs no job when it holds what they are made of; else in blocks.
    """

    def __init__(self, table: StarTable, frame: DataFrame, *, are_few: bool) -> None:
        self._table, self._spark = table, frame.sparkSession
        # What does not convert may be a date that Python does not know.
        content = [c.name for c in table.content_columns if c.name != table.key]
        shown = [f"if({PROBLEM} = 0, `{name}`, null) as `{name}`" for name in content]
        others = [name for name in frame.columns if name not in content]
        collected = frame.selectExpr(*others, *shown)
        self._schema = collected.schema
        self._rows = _one_by_one(collected, self._schema) if are_few else _in_blocks(collected, self._schema)

    def __getitem__(self, column: str) -> list[Any]:
        """Return the values of a column, in the order of the rows."""
        return list(self._rows[column].to_pylist())

    def years(self, keys: Collection[int]) -> set[int]:
        """Return the years that the rows with these keys refer to."""
        chosen = self._rows.take(self._places(keys))
        return {day.year for name in date_columns(self._table) for day in chosen[name].unique().to_pylist() if day}

    def only(self, keys: Collection[int], others: Collection[str] = ()) -> DataFrame:
        """Return the rows with these keys, in their order and in one partition: content columns, ``row_hash``, and `others`."""
        names = [*(column.name for column in self._table.content_columns), "row_hash", *others]
        chosen = self._rows.select(names).take(self._places(keys))
        schema = StructType([self._schema[name] for name in names])
        return local(self._spark, schema, chosen.to_batches()).coalesce(1)

    def _places(self, keys: Collection[int]) -> pa.Array:
        places = {key: place for place, key in enumerate(self[self._table.key])}
        return pa.array([places[key] for key in sorted(keys)], pa.int64())


def _one_by_one(frame: DataFrame, schema: StructType) -> pa.Table:
    rows = frame.collect()
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    kinds = to_arrow_schema(schema)
    return pa.Table.from_arrays(
        [pa.array(column, kind) for column, kind in zip(columns, kinds.types, strict=True)], schema=kinds
    )


def _in_blocks(frame: DataFrame, schema: StructType) -> pa.Table:
    return pa.Table.from_batches(frame._collect_as_arrow(), to_arrow_schema(schema))
