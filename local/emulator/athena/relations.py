"""The tables of the catalog as DuckDB reads them: Iceberg, CSV and JSON, from the files of the local S3."""

from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import StaticTable

#: Hive's types that DuckDB calls otherwise.
_TYPES = {"string": "varchar", "binary": "blob", "int": "integer"}


def relation(table: dict[str, Any], s3: Path) -> str:
    """Return what stands for a table in a FROM.

    Parameters
    ----------
    table
        As the catalog has it.
    s3
        Directory of the buckets.
    """
    parameters = table.get("Parameters") or {}
    if parameters.get("table_type", "").upper() == "ICEBERG" and "metadata_location" in parameters:
        return _iceberg(parameters["metadata_location"], s3)
    storage = table["StorageDescriptor"]
    library = (storage.get("SerdeInfo") or {}).get("SerializationLibrary", "")
    columns = {c["Name"]: c["Type"] for c in [*storage["Columns"], *(table.get("PartitionKeys") or [])]}
    files = _files(storage["Location"], s3)
    if not files:
        none = ", ".join(f'cast(null as {duckdb_type(kind)}) as "{name}"' for name, kind in columns.items())
        return f"(select {none} where false)"
    if "JsonSerDe" in library:
        types = ", ".join(f"'{name}': '{duckdb_type(kind)}'" for name, kind in columns.items())
        return (
            f"read_json({_list(files)}, format='newline_delimited', columns={{{types}}}, maximum_object_size=268435456)"
        )
    own = ", ".join(f"'{c['Name']}': 'varchar'" for c in storage["Columns"])
    rows = (
        f"read_csv({_list(files)}, auto_detect=false, header=true, delim=',', quote='\"', escape='\"', "
        f"columns={{{own}}}, hive_partitioning=true, hive_types={{'extracted_date': varchar}}, allow_quoted_nulls=false, "
        f"null_padding=true, strict_mode=false, parallel=false)"
    )
    return f"(select {', '.join(chr(34) + name + chr(34) for name in columns)} from {rows})"


def duckdb_type(kind: str) -> str:
    """Return DuckDB's name of a type of Hive.

    Examples
    --------
    >>> duckdb_type("map<string,struct<read:string,parts:array<int>>>")
    'map(varchar, struct("read" varchar, "parts" integer[]))'
    """
    head, _, rest = kind.partition("<")
    if not rest:
        return _TYPES.get(kind, kind)
    inner = _split(rest[:-1])
    if head == "array":
        return f"{duckdb_type(inner[0])}[]"
    if head == "map":
        return f"map({', '.join(map(duckdb_type, inner))})"
    fields = (field.partition(":") for field in inner)
    return f"struct({', '.join(f'{chr(34)}{name}{chr(34)} {duckdb_type(type_)}' for name, _, type_ in fields)})"


def _split(text: str) -> list[str]:
    """Split at the commas that stand in no brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _files(location: str, s3: Path) -> list[str]:
    directory = _path(location, s3)
    return sorted(str(file) for file in directory.rglob("*") if file.is_file() and not file.name.startswith(("_", ".")))


def _path(location: str, s3: Path) -> Path:
    place = urlparse(location)
    return s3 / place.netloc / place.path.strip("/")


class _LocalFiles(PyArrowFileIO):
    """Reads the objects of the local S3 as files."""

    def __init__(self, s3: Path) -> None:
        super().__init__()
        self._s3 = s3

    def new_input(self, location: str) -> Any:
        return super().new_input(str(_path(location, self._s3)))


@lru_cache(maxsize=512)
def _iceberg(metadata: str, s3: Path) -> str:
    """Return the live rows of an Iceberg table. A metadata file never changes, so what it says is kept.

    Copy-on-write tables only, which is what the platform writes: a file is either live or not. Files have the columns of their
    time: given-up ones are left out, gained ones are NULL.
    """
    files = _LocalFiles(s3)
    table = StaticTable.from_metadata(str(_path(metadata, s3)))
    table.io = files
    plan = list(table.scan().plan_files())
    if any(task.delete_files for task in plan):
        raise ValueError("merge-on-read deletes cannot be read here")
    fields = table.schema().fields
    none = ", ".join(f'cast(null as {_iceberg_type(field)}) as "{field.name}"' for field in fields)
    if not plan:
        return f"(select {none} where false)"
    live = _list([str(_path(task.file.file_path, s3)) for task in plan])
    names = ", ".join(f'"{field.name}"' for field in fields)
    rows = f"read_parquet({live}, union_by_name=true, hive_partitioning=false)"
    return f"(select {names} from (select {none} where false union all by name select * from {rows}))"


def _iceberg_type(field: Any) -> str:
    kind = str(field.field_type)
    return {"int": "integer", "long": "bigint", "string": "varchar"}.get(kind, kind)


def _list(files: list[str]) -> str:
    return "[" + ", ".join("'" + file.replace("'", "''") + "'" for file in files) + "]"
