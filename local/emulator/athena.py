"""Athena over Iceberg: the emulator's engine reads every file under a table's location; this names the live ones.

Copy-on-write tables only, which is what the platform writes: a file is either live or not.
"""

from typing import Any

#: Functions of Athena that DuckDB calls otherwise.
MACROS = (
    "create macro with_timezone(moment, zone) as timezone(zone, moment)",
    "create macro at_timezone(moment, zone) as timezone(zone, moment)",
)


def install() -> None:
    """Teach the emulator's Athena which data files of an Iceberg table are live, JSON tables, and functions of Athena."""
    import ministack.services.athena as service
    from pyiceberg.io.pyarrow import PyArrowFileIO
    from pyiceberg.table import StaticTable

    plain = service._table_relation

    def relation(table: dict[str, Any], files: list[str]) -> str:
        parameters = table.get("Parameters") or {}
        storage = table["StorageDescriptor"]
        if "JsonSerDe" in (storage.get("SerdeInfo") or {}).get("SerializationLibrary", ""):
            columns = ", ".join(f"'{c['Name']}': '{service._duckdb_type(c)}'" for c in storage["Columns"])
            return f"read_json({service._sql_list(files)}, format='newline_delimited', columns={{{columns}}})"
        if parameters.get("table_type", "").upper() != "ICEBERG" or "metadata_location" not in parameters:
            return str(plain(table, files))
        location = storage["Location"].rstrip("/")
        root = next(file for file in files if "/metadata/" in file).rsplit("/metadata/", 1)[0]

        class Files(PyArrowFileIO):
            def new_input(self, location_: str) -> Any:
                return super().new_input(location_.replace(location, root, 1))

        table_ = StaticTable.from_metadata(parameters["metadata_location"].replace(location, root, 1))
        table_.io = Files()
        plan = list(table_.scan().plan_files())
        if any(task.delete_files for task in plan):
            raise ValueError("merge-on-read deletes cannot be read here")
        live = [task.file.file_path.replace(location, root, 1) for task in plan]
        if not live:
            return str(service._empty_relation(table))
        # Files have the columns of their time: given-up ones are left out, gained ones are NULL.
        fields = table_.schema().fields
        names = ", ".join(f'"{field.name}"' for field in fields)
        none = ", ".join(f'cast(null as {_duckdb_type(field)}) as "{field.name}"' for field in fields)
        files_ = f"read_parquet({service._sql_list(live)}, union_by_name=true, hive_partitioning=false)"
        both = f"select {none} where false union all by name select * from {files_}"
        return f"(select {names} from ({both}))"

    service._table_relation = relation
    _define_macros()
    _put_results_where_the_answer_says(service)


def _duckdb_type(field: Any) -> str:
    """Return the type by which DuckDB reads a field's Parquet column."""
    kind = str(field.field_type)
    return {"int": "integer", "long": "bigint", "string": "varchar"}.get(kind, kind)


def _define_macros() -> None:
    import duckdb

    plain = duckdb.connect

    def connect(*arguments: Any, **options: Any) -> Any:
        connection = plain(*arguments, **options)
        for macro in MACROS:
            connection.execute(macro)
        return connection

    duckdb.connect = connect


def _put_results_where_the_answer_says(service: Any) -> None:
    """Write a result to the object that GetQueryExecution names; the emulator appends the name a second time."""
    plain = service._save_query_results

    async def save(query_id: str) -> None:
        configuration = service._executions.get(query_id)["ResultConfiguration"]
        named = configuration["OutputLocation"]
        configuration["OutputLocation"] = named.rsplit("/", 1)[0] + "/"
        try:
            await plain(query_id)
        finally:
            configuration["OutputLocation"] = named

    service._save_query_results = save
