"""The source's tables against the contract."""

from collections.abc import Mapping

from contracts.tables.source import SOURCE_TABLES
from lambdas.errors import PrivilegeError, SourceSchemaError
from lambdas.extract.shapes import Relation


def check_schema(found: Mapping[str, Relation]) -> None:
    """Compare the source's tables with the contract.

    Raises
    ------
    SourceSchemaError
        Naming every missing table or column, differing type and lost key. Columns and tables that
        the contract does not know are no error.
    PrivilegeError
        When row-level security decides which rows the login may see.
    """
    differences = []
    for table in SOURCE_TABLES.values():
        if table.name not in found:
            differences.append(f"table {table.name} is missing")
            continue
        columns = found[table.name].columns
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
    if hidden := [name for name in SOURCE_TABLES if found[name].hides_rows]:
        raise PrivilegeError(
            f"Row-level security decides which rows of {', '.join(hidden)} the source login may see, and a batch needs all of "
            f"them. Give the login BYPASSRLS, or read with one to which no policy applies. Nothing was written."
        )
