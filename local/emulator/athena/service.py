"""Puts the engine into the emulator's Athena: statements, parameters, results where the answer says."""

import asyncio
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any

from local.emulator.athena.engine import Engine, Result
from local.emulator.athena.statement import prepared

#: Workgroup and parameters of the request that is being served; the task that runs its statement inherits them.
_request: ContextVar[dict[str, Any]] = ContextVar("request")


def install() -> None:
    """Let the emulator's Athena run statements by this engine."""
    import ministack.services.athena as service
    import ministack.services.glue as glue
    import ministack.services.s3 as s3

    plain = service._start_query_execution

    def start(data: dict[str, Any]) -> Any:
        _request.set(data)
        return plain(data)

    async def run(text: str, database: str, catalog: str | None = None) -> dict[str, Any]:
        del catalog
        request = _request.get()
        workgroup, parameters = request.get("WorkGroup", "primary"), request.get("ExecutionParameters") or []

        def lookup(name: str) -> str | None:
            found = service._prepared_statements.get(f"{workgroup}/{name}")
            return str(found["QueryStatement"]) if found else None

        statement, values = prepared(text, lookup)
        directory = Path(s3.DATA_DIR) / s3.get_account_id()
        tables = dict(glue._tables.items())
        engine = Engine(lambda schema, name: tables.get(f"{schema}/{name}"), directory)
        found = await asyncio.to_thread(engine.run, statement, database, values or parameters)
        return _answer(found, service._DUCKDB_TYPE_MAP)

    service._parse_ddl = lambda text: None  # the catalog is the deployment's and the job's: the engine refuses
    service._start_query_execution = start
    service._run_duckdb = run
    _put_results_where_the_answer_says(service)


def _answer(found: Result, names: dict[str, str]) -> dict[str, Any]:
    types = [names.get(kind.upper().split("(")[0].strip(), "varchar") for kind in found.types]
    return {"columns": found.columns, "column_types": types, "rows": [[_shown(v) for v in row] for row in found.rows]}


def _shown(value: Any) -> Any:
    """Write a moment as Athena does, with all its digits: a reader could not tell the type of a column of both spellings.

    A day or a decimal is text too, or the emulator could not keep its state: one value that JSON does not have, and a restart
    brings an older state back.
    """
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.isoformat(" ", "microseconds")
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


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
