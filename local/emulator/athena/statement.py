"""A statement of a user: parsed, completed with its parameters, and written for DuckDB."""

import re
from collections.abc import Callable, Iterator, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_EXECUTE = re.compile(r"\s*execute\s+(\w+)\s*(?:using\s+(.*?))?\s*;?\s*", re.IGNORECASE | re.DOTALL)


class QueryError(ValueError):
    """A statement cannot be run; the message is Athena's, or like it."""


def prepared(text: str, lookup: Callable[[str], str | None]) -> tuple[str, list[str]]:
    """Return the statement that is to be run and its parameters, of an ``EXECUTE name USING …`` or any other.

    Raises
    ------
    QueryError
        When there is no such prepared statement.
    """
    found = _EXECUTE.fullmatch(text)
    if not found:
        return text, []
    statement = lookup(found[1])
    if statement is None:
        raise QueryError(f"PreparedStatement {found[1]} was not found in this workgroup.")
    values = _parse(f"select {found[2]}").expressions if found[2] else []
    return statement, [value.sql(dialect="athena") for value in values]


def parse(text: str, parameters: Sequence[str] = ()) -> exp.Query:
    """Parse a statement and put its parameters, literals of SQL, in the place of its question marks.

    Raises
    ------
    QueryError
        Naming line and column, or how many parameters are missing.
    """
    query = _parse(text)
    marks = list(query.find_all(exp.Placeholder, bfs=False))
    if len(marks) != len(parameters):
        raise QueryError(f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}")
    for mark, value in zip(sorted(marks, key=_offset), parameters, strict=True):
        literal = _parse(f"select {value}").expressions[0]
        if literal.find(exp.Column, exp.Query):
            raise QueryError(f"Parameter {value} is no literal.")
        mark.replace(literal)
    return query


def tables(query: exp.Query) -> Iterator[exp.Table]:
    """Yield the tables that a query names; names of its own WITH are none.

    Raises
    ------
    QueryError
        When it asks a function of the engine instead, which could read what is no table.
    """
    own = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            raise QueryError(f"NOT_SUPPORTED: {table.this.sql(dialect='athena')} is no table")
        if table.db or table.name.lower() not in own:
            yield table


def named(query: exp.Query) -> exp.Query:
    """Give every column of the result the name that Athena gives it: ``_col0`` where the statement has none."""
    for number, column in enumerate(query.selects):
        if not isinstance(column, exp.Alias | exp.Column | exp.Dot) and not column.is_star:
            column.replace(exp.alias_(column.copy(), f"_col{number}"))
    return query


def place(text: str, node: exp.Expression | None) -> str:
    """Return ``line l:c: `` of a part of a statement, or "" when it is not known."""
    start = (node.this if isinstance(node, exp.Table) else node).meta.get("start") if node is not None else None
    return "" if start is None else _at(text, int(start))


def place_of_name(text: str, name: str) -> str:
    """Return ``line l:c: `` of the first place in which a statement has a name, or ""."""
    found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE)
    return _at(text, found.start()) if found else ""


def _parse(text: str) -> exp.Query:
    try:
        found = [statement for statement in sqlglot.parse(text, dialect="athena") if statement is not None]
    except SqlglotError as error:
        details = (getattr(error, "errors", None) or [{}])[0]
        token = details.get("highlight") or ""
        where = f"line {details['line']}:{max(1, details['col'] - len(token) + 1)}: " if "line" in details else ""
        raise QueryError(f"SYNTAX_ERROR: {where}mismatched input '{token}'") from None
    if len(found) != 1:
        raise QueryError(f"SYNTAX_ERROR: {len(found)} statements; one is run at a time")
    if not isinstance(found[0], exp.Query):
        raise QueryError("NOT_SUPPORTED: the local Athena runs SELECT only")
    return found[0]


def _offset(mark: exp.Placeholder) -> int:
    return int(mark.meta.get("start", 0))


def _at(text: str, offset: int) -> str:
    line = text.count("\n", 0, offset) + 1
    return f"line {line}:{offset - (text.rfind(chr(10), 0, offset) + 1) + 1}: "
