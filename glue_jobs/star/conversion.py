"""From text to typed values: every value either converts exactly, or its row is quarantined with the reason.

Which check a row fails is one number, its problem: 0 for none, else the place of a `Check` in `checks`, counted from 1. So
that the test costs little, a value converts when what it converts to reads the same when it is written again:
PostgreSQL and Spark write all of these types alike.
"""

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.tables.currencies import CURRENCY_NAMES
from contracts.tables.table import Column as ContractColumn
from contracts.tables.table import SourceTable
from contracts.tables.types import BOOLEAN, CURRENCY_CODE, ENUM, INTEGER, ISO_DATE, MONEY, TEXT, TIMESTAMP

MASK = "(personal value)"
#: Column that holds a row's problem.
PROBLEM = "_problem"
_EXPECTED = {
    INTEGER: "a whole number of 32 bits",
    MONEY: "a number with at most 8 digits before and 2 after the point",
    BOOLEAN: "true or false",
    ISO_DATE: "a calendar date, yyyy-mm-dd",
    TIMESTAMP: "a timestamp with at most milliseconds, year 0001 to 9999",
    CURRENCY_CODE: "an ISO 4217 code",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One way in which a row may be wrong: its column, and the reason to be told."""

    column: str
    reason: str


@functools.cache
def checks(table: SourceTable) -> tuple[Check, ...]:
    """Return what is checked of a row: first each column by itself, then each reference."""
    own = [Check(column.name, reason) for column, reason, _ in _conditions(table)]
    references = [
        Check(c.name, f"refers to no {c.references.partition('.')[0]} that the lake shows")
        for c in table.columns
        if c.references
    ]
    return (*own, *references)


def reference_problem(table: SourceTable, column: str) -> int:
    """Return the number of the problem that `column` refers to nothing."""
    found = [number for number, check in enumerate(checks(table), 1) if check.column == column]
    return found[-1]


def problem(table: SourceTable, missing: Mapping[str, str] | None = None, absent: Collection[str] = ()) -> Column:
    """Return the number of the first problem of a raw row, or 0.

    Parameters
    ----------
    absent
        Columns that were not extracted: they are NULL, which says nothing about the row.
    missing
        Column → SQL condition under which it refers to nothing; without it, only what the row itself tells is checked. One flat
        expression: a filter that is pushed through nested ones would double it with each.
    """
    numbered = [
        (is_wrong, number)
        for number, (column, _, is_wrong) in enumerate(_conditions(table), 1)
        if column.name not in absent
    ]
    numbered += [(condition, reference_problem(table, column)) for column, condition in (missing or {}).items()]
    cases = " ".join(f"when {condition} then {number}" for condition, number in numbered)
    return F.expr(f"case {cases} else 0 end")


def typed(raw: DataFrame, table: SourceTable, extras: Sequence[str] = ()) -> DataFrame:
    """Convert the text columns of a source table to the contract's types; what does not convert becomes NULL.

    Timestamps stay text; `created_and_updated` splits them.

    Parameters
    ----------
    extras
        Further columns that are kept as they are.

    Returns
    -------
    DataFrame
        One column for each of the contract's, and the extras. Only rows without a problem may be shown.
    """
    return raw.selectExpr(*[f"{_value(column)} as `{column.name}`" for column in table.columns], *extras)


def shown(table: SourceTable, number: Column) -> list[Column]:
    """Return the columns ``column_name``, ``value`` and ``reason`` of raw rows with a problem; personal values are masked."""
    every = checks(table)
    values = [
        F.when(F.col(c.column).isNotNull(), F.lit(MASK)) if table.column(c.column).personal else F.col(c.column)
        for c in every
    ]
    return [
        F.element_at(F.array(*[F.lit(c.column) for c in every]), number).alias("column_name"),
        F.substring(F.element_at(F.array(*values), number), 1, 100).alias("value"),
        F.element_at(F.array(*[F.lit(c.reason) for c in every]), number).alias("reason"),
    ]


def created_and_updated() -> list[Column]:
    """Return the four columns that a fact makes of ``created_at`` and ``last_updated``."""
    return [
        F.expr(expression)
        for source, target in (("created_at", "created"), ("last_updated", "last_updated"))
        for expression in (
            f"cast({_piece(source, 1, 10)} as date) as {target}_date",
            f"concat({_piece(source, 12, 8)}, '.', rpad({_piece(source, 21, 3)}, 3, '0')) as {target}_time",
        )
    ]


def _piece(column: str, start: int, length: int) -> str:
    """Return a piece of a text of ASCII: by its bytes, because Spark counts the characters of the whole text first."""
    return f"cast(substr(cast(`{column}` as binary), {start}, {length}) as string)"


def _value(column: ContractColumn) -> str:
    if column.type in (TEXT, ENUM, TIMESTAMP, CURRENCY_CODE):
        return f"`{column.name}`"
    return f"`{column.name}` = 't'" if column.type is BOOLEAN else f"cast(`{column.name}` as {column.type.spark})"


def _conditions(table: SourceTable) -> list[tuple[ContractColumn, str, str]]:
    """Return, for each check of a single column, the column, the reason and the SQL condition under which it fails."""
    found: list[tuple[ContractColumn, str, str]] = []
    for column in table.columns:
        if not column.nullable:
            found.append((column, "is NULL and must not be", f"`{column.name}` is null"))
        if column.type in _EXPECTED:
            misfits = f"`{column.name}` is not null and not ({_fits(column)})"
            found.append((column, f"is not {_EXPECTED[column.type]}", misfits))
    return found


def _fits(column: ContractColumn) -> str:
    """Return the SQL condition under which a text that is not NULL converts exactly."""
    text = f"`{column.name}`"
    if column.type is BOOLEAN:
        return f"{text} in ('t', 'f')"
    if column.type is CURRENCY_CODE:
        return f"{text} in ({', '.join(map(repr, CURRENCY_NAMES))})"
    if column.type is TIMESTAMP:
        # The source's type makes it a moment; but it may be infinite, BC, after 9999 or finer than milliseconds.
        dash = f"{_piece(column.name, 5, 1)} = '-'"
        form = f"octet_length({text}) between 19 and 23 and {dash} and {text} not like '%BC'"
        return f"{form} and {text} between '0001' and '9999-12-31 24'"
    same = f"{text} <=> cast(cast({text} as {column.type.spark}) as string)"
    if column.type is ISO_DATE:
        return f"{same} and {text} between '0001' and '9999-12-31'"
    return same
