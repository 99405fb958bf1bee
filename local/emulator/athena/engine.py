"""Runs one statement: the tables and views that it names become views of a DuckDB that has nothing else."""

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from contracts.tables.lake import LAKE_TABLES
from local.emulator.athena.relations import relation
from local.emulator.athena.statement import QueryError, named, parse, place, place_of_name, tables

#: Functions of Athena that DuckDB calls otherwise.
MACROS = (
    "create macro with_timezone(moment, zone) as timezone(zone, moment)",
    "create macro at_timezone(moment, zone) as timezone(zone, moment)",
    "create macro from_iso8601_timestamp_nanos(moment) as cast(moment as timestamptz)",
)
_VIEW = re.compile(r"/\* Presto View: (\S+) \*/")

Lookup = Callable[[str, str], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement returns; types as DuckDB calls them."""

    columns: list[str]
    types: list[str]
    rows: list[tuple[Any, ...]]


@dataclass(slots=True)
class Engine:
    """One statement's engine.

    Attributes
    ----------
    lookup
        Finds a table of the catalog by database and name.
    s3
        Directory of the buckets.
    """

    lookup: Lookup
    s3: Path
    _connection: duckdb.DuckDBPyConnection = field(init=False)
    _known: set[tuple[str, str]] = field(init=False, default_factory=set)

    def run(self, text: str, database: str, parameters: Sequence[str] = ()) -> Result:
        """Run a statement.

        Raises
        ------
        QueryError
            In Athena's words, about the statement as the user wrote it.
        """
        query = named(parse(text, parameters))
        with duckdb.connect(":memory:") as self._connection:
            self._connection.execute("set timezone = 'UTC'")
            for macro in MACROS:
                self._connection.execute(macro)
            for table in tables(query):
                self._show(table, database, text)
            self._connection.execute("set allowed_directories = ?", [[str(self.s3)]])
            self._connection.execute("set enable_external_access = false")
            try:
                answer = self._connection.execute(query.sql(dialect="duckdb"))
                described = answer.description or []
                return Result([d[0] for d in described], [str(d[1]) for d in described], answer.fetchall())
            except duckdb.Error as error:
                raise QueryError(_message(error, text)) from None

    def _show(self, table: exp.Table, database: str, text: str, inside: str = "") -> None:
        """Make a DuckDB view of a table or view of the catalog, and let the statement name that."""
        schema, name = (table.db or database).lower(), table.name.lower()
        found = self.lookup(schema, name)
        if found is None:
            where = "" if inside else place(text, table)
            hint = " The first batch makes it: python -m local batch" if name in LAKE_TABLES else ""
            raise QueryError(
                f"TABLE_NOT_FOUND: {where}{inside}Table 'awsdatacatalog.{schema}.{name}' does not exist.{hint}"
            )
        self._rename(table, schema, name)
        if (schema, name) in self._known:
            return
        self._known.add((schema, name))
        body = self._view(found, schema, name) if found.get("TableType") == "VIRTUAL_VIEW" else self._table(found)
        target = f"{_quoted(schema)}.{_quoted(name)}"
        try:
            self._connection.execute(f"create schema if not exists {_quoted(schema)}")
            self._connection.execute(f"create view {target} as {body}")
        except duckdb.Error as error:
            raise QueryError(f"The local Athena cannot read {schema}.{name}: {_without_paths(str(error))}") from None

    def _table(self, found: dict[str, Any]) -> str:
        return f"select * from {relation(found, self.s3)}"

    def _view(self, found: dict[str, Any], schema: str, name: str) -> str:
        """Return the query of a view, as it was deployed."""
        packed = _VIEW.fullmatch((found.get("ViewOriginalText") or "").strip())
        if not packed:
            raise QueryError(f"INVALID_VIEW: {schema}.{name} has no definition that Athena could read")
        definition = json.loads(base64.b64decode(packed[1]))
        query = parse(definition["originalSql"])
        for table in tables(query):
            self._show(table, definition["schema"], "", f"View {schema}.{name}: ")
        return query.sql(dialect="duckdb")

    def _rename(self, table: exp.Table, schema: str, name: str) -> None:
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
        table.set("catalog", None)
        table.set("db", exp.to_identifier(schema, quoted=True))
        table.set("this", exp.to_identifier(name, quoted=True))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _message(error: duckdb.Error, text: str) -> str:
    """Return what is wrong with the statement: DuckDB's first line, with the place in the user's own text."""
    kind, _, said = str(error).partition("\n")[0].partition(": ")
    name = re.search(r'"([^"]+)"', said) or re.search(r"with name (\w+)", said)
    where = place_of_name(text, name[1]) if name else ""
    if "not found in FROM clause" in said and name:
        return f"COLUMN_NOT_FOUND: {where}Column '{name[1]}' cannot be resolved"
    return f"{kind.upper().replace(' ', '_')}: {where}{_without_paths(said)}"


def _without_paths(text: str) -> str:
    return re.sub(r"(?:/[\w.@=+:-]+){2,}", "…", text.partition("\n")[0])
