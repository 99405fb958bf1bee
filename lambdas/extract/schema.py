"""The source's tables against the contract."""

from collections.abc import Mapping

from contracts.source import SOURCE_TABLES
from lambdas.errors import SourceSchemaError
from lambdas.extract.source import ColumnFound


def check_schema(found: Mapping[str, Mapping[str, ColumnFound]]) -> None:
    """Compare the source's tables with the contract.

    Raises
    ------
    SourceSchemaError
        Naming every missing table or column, differing type and lost key. Columns and tables that
        the contract does not know are no error.
    """
    differences = []
    for table in SOURCE_TABLES.values():
        if table.name not in found:
            differences.append(f"table {table.name} is missing")
            continue
        columns = found[table.name]
        for column in table.columns:
            if column.name not in columns:
                differences.append(f"column {table.name}.{column.name} is missing")
            elif columns[column.name].type not in column.type.source:
                differences.append(
                    f"column {table.name}.{column.name} is {columns[column.name].type}, expected {column.type.source[0]}"
                )
        if table.key in columns and not columns[table.key].is_key:
            differences.append(f"{table.name}.{table.key} is no longer the primary key")
    if differences:
        raise SourceSchemaError(
            f"The source differs from the contract: {'; '.join(differences)}. Nothing was written. Restore the source's "
            f"schema or deploy a release whose contract knows the change."
        )
