"""From text to typed values: every value either converts exactly or its row is named and refused."""

import functools
import json
import re
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.table import Column as ContractColumn
from contracts.table import SourceTable, StarTable
from contracts.types import BOOLEAN, ENUM, INTEGER, ISO_DATE, MONEY, TEXT, TIMESTAMP

#: Marks the report of a refused row inside Spark's exception.
REJECTION = "REJECTED-ROW"
MASK = "(personal value)"

_PATTERNS = {
    INTEGER: r"^-?\d{1,10}$",
    MONEY: r"^-?\d{1,8}(\.\d{1,2})?$",
    BOOLEAN: r"^[tf]$",
    ISO_DATE: r"^\d{4}-\d{2}-\d{2}$",
    TIMESTAMP: r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{1,3})?$",
}
_EXPECTED = {
    INTEGER: "a whole number of 32 bits",
    MONEY: "a number with at most 8 digits before and 2 after the point",
    BOOLEAN: "true or false",
    ISO_DATE: "a calendar date, yyyy-mm-dd",
    TIMESTAMP: "a timestamp with at most milliseconds, year 0001 to 9999",
}


def typed(raw: DataFrame, table: SourceTable) -> DataFrame:
    """Convert the text columns of a source table to the contract's types.

    Timestamps stay text, checked; `created_and_updated` splits them.

    Returns
    -------
    DataFrame
        One column for each of the contract's. Evaluating a value that does not convert, or a NULL
        where none may be, raises an exception that `rejection` reads.
    """
    key = F.col(table.key)
    return raw.select(*[_value(table, key, column).alias(column.name) for column in table.columns])


def conformed(frame: DataFrame, table: StarTable) -> DataFrame:
    """Select a star table's content columns with their types, refusing a NULL where none may be.

    A NULL here means that a joined row does not exist: a dangling reference, or an unknown currency.
    """
    key = F.col(table.key).cast("string")
    columns = []
    for column in table.content_columns:
        value = F.col(column.name).cast(column.type.spark)
        if not column.nullable:
            missing = _refuse(table.source, key, column.name, F.lit(None), "has nothing to refer to")
            value = F.when(F.col(column.name).isNull(), missing).otherwise(value)
        columns.append(value.alias(column.name))
    return frame.select(*columns)


def created_and_updated() -> list[Column]:
    """Return the four columns that a fact makes of ``created_at`` and ``last_updated``."""
    return [
        piece
        for source, target in (("created_at", "created"), ("last_updated", "last_updated"))
        for piece in (
            F.substring(source, 1, 10).cast("date").alias(f"{target}_date"),
            F.concat(F.substring(source, 12, 8), F.lit("."), F.rpad(F.substring(source, 21, 3), 3, "0")).alias(
                f"{target}_time"
            ),
        )
    ]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A refused row: where it is, and the report in words."""

    table: str
    key: str
    text: str


def is_refused(table: SourceTable) -> Column:
    """Return whether a raw row of `table` holds a value that `typed` refuses."""
    refused = [problem for column in table.columns if (problem := _problem(column)) is not None]
    return functools.reduce(lambda one, other: one | other, refused)


def rejection(message: str) -> Rejection | None:
    """Find the report of a refused row in an exception's message."""
    found = re.search(REJECTION + r" (\{.*?\}) " + REJECTION, message)
    if not found:
        return None
    report = json.loads(found.group(1))
    value = f" = {report['value']!r}" if report.get("value") is not None else ""
    key = str(report.get("key"))
    text = (
        f"Table {report['table']}, key {key}, column {report['column']}{value}: {report['reason']}. Nothing of the batch was "
        f"published. Correct the row in the source: the next batch brings the correction, and all that waits follows."
    )
    return Rejection(report["table"], key, text)


def _value(table: SourceTable, key: Column, column: ContractColumn) -> Column:
    text = F.col(column.name)
    value = text if column.type in (TEXT, ENUM, TIMESTAMP) else text.cast(column.type.spark)
    if column.type in _PATTERNS:
        shown = F.lit(MASK) if column.personal else text
        refused = _refuse(table.name, key, column.name, shown, f"is not {_EXPECTED[column.type]}")
        value = F.when(_misfit(column), refused).otherwise(value)
    if not column.nullable:
        refused = _refuse(table.name, key, column.name, F.lit(None), "is NULL and must not be")
        value = F.when(text.isNull(), refused).otherwise(value)
    return value


def _misfit(column: ContractColumn) -> Column:
    """Tell whether a text that is not NULL does not convert exactly."""
    text = F.col(column.name)
    converts = text.rlike(_PATTERNS[column.type]) & text.cast(column.type.spark).isNotNull()
    return text.isNotNull() & ~converts


def _problem(column: ContractColumn) -> Column | None:
    missing = None if column.nullable else F.col(column.name).isNull()
    if column.type not in _PATTERNS:
        return missing
    return _misfit(column) if missing is None else missing | _misfit(column)


def _refuse(table: str, key: Column, column: str, value: Column, reason: str) -> Column:
    report = F.to_json(
        F.struct(
            F.lit(table).alias("table"),
            key.alias("key"),
            F.lit(column).alias("column"),
            F.substring(value.cast("string"), 1, 100).alias("value"),
            F.lit(reason).alias("reason"),
        )
    )
    return F.raise_error(F.concat(F.lit(f"{REJECTION} "), report, F.lit(f" {REJECTION}")))
