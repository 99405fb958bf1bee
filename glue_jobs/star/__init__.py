"""From typed source tables to star tables: pure DataFrame → DataFrame functions, one file a table, called like the table.

A function takes the typed source tables by name and returns the star table's columns, without record id. A table without a
file is taken as it is: its columns are those of its source, by name.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec

from pyspark.sql import DataFrame

from contracts.tables.star import STAR_TABLES
from contracts.tables.table import StarTable

Sources = Mapping[str, DataFrame]


def builder(table: StarTable) -> Callable[[Sources], DataFrame]:
    """Return the function that builds a star table.

    Raises
    ------
    ModuleNotFoundError
        When rows are joined for the table and no file says how.
    """
    name = f"{__name__}.{table.name}"
    if table.joins or find_spec(name):
        build: Callable[[Sources], DataFrame] = import_module(name).build
        return build
    return lambda sources: sources[table.source]


#: Star table → the function that builds it, for those that have a source.
BUILDERS = {table.name: builder(table) for table in STAR_TABLES.values() if table.source}
