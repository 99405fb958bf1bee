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
    """

    def __init__(self, table: StarTable, frame: DataFrame) -> None:
        self._table, self._spark = table, frame.sparkSession
        # What does not convert may be a date that Python does not know.
        content = [c.name for c in table.content_columns if c.name != table.key]
        shown = [f"if({PROBLEM} = 0, `{name}`, null) as `{name}`" for name in content]
        others = [name for name in frame.columns if name not in content]
        collected = frame.selectExpr(*others, *shown)
        self._schema = collected.schema
        rows = collected.collect()
        values = zip(*rows, strict=True) if rows else [()] * len(self._schema)
        self._columns = dict(zip(self._schema.names, values, strict=True))

    def __getitem__(self, column: str) -> tuple[Any, ...]:
        """Return the values of a column, in the order of the rows."""
        return self._columns[column]

    def years(self, keys: Collection[int]) -> set[int]:
        """Return the years that the rows with these keys refer to."""
        dates = [self[name] for name in date_columns(self._table)]
        chosen = [place for place, key in enumerate(self[self._table.key]) if key in keys]
        return {days[place].year for days in dates for place in chosen if days[place]}

    def only(self, keys: Collection[int]) -> DataFrame:
        """Return the rows with these keys, in the order of the keys: content columns and ``row_hash``, in one partition."""
        places = {key: place for place, key in enumerate(self[self._table.key])}
        order = [places[key] for key in sorted(keys)]
        names = [*(column.name for column in self._table.content_columns), "row_hash"]
        schema = StructType([self._schema[name] for name in names])
        columns = [
            pa.array([self[name][place] for place in order], type=field.type)
            for name, field in zip(names, to_arrow_schema(schema), strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=to_arrow_schema(schema))
        return local(self._spark, schema, [batch]).coalesce(1)
