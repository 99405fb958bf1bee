"""Columns that the contract has given up: they are dropped when somebody asks for it by name, and not before."""

from contracts.errors import ContractConflictError
from contracts.tables.lake import HISTORIES, LAKE_TABLES
from contracts.tables.table import StarTable


def former_columns(text: str) -> list[tuple[StarTable, str]]:
    """Read what is to be dropped: ``table.column``, several with commas between them.

    A column of a dimension is one of its history too.

    Raises
    ------
    ContractConflictError
        When there is no such table, or the contract still has the column; nothing was dropped.
    """
    found = []
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, _, column = item.partition(".")
        if name not in LAKE_TABLES or not column:
            raise ContractConflictError(f"{item!r} is no table.column of the lake. Nothing was dropped.")
        for table in filter(None, (LAKE_TABLES[name], HISTORIES.get(name))):
            if column in table.column_names or column in ("batch_id", "row_hash"):
                raise ContractConflictError(f"the contract still has {table.name}.{column}. Nothing was dropped.")
            found.append((table, column))
    if not found:
        raise ContractConflictError("no column was named. Nothing was dropped.")
    return found
