"""Dropping columns that the contract has given up from the lake's tables; snapshots before keep them."""

from collections.abc import Callable

from contracts.tables.former import former_columns
from glue_jobs.lake.tables import Lake


def drop_columns(lake: Lake, text: str, log: Callable[[str], None]) -> None:
    """Drop columns, as far as they are there.

    Raises
    ------
    ContractConflictError
        When the contract still has one of them; nothing was dropped.
    """
    for table, column in former_columns(text):
        if lake.exists(table) and column in lake.former_columns(table):
            lake.drop_column(table, column)
            log(f"{table.name}: column {column} dropped")
        else:
            log(f"{table.name}: there is no column {column}")
