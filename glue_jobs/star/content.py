"""Versions of rows: told by their content, numbered without a sort of everything in one place."""

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.checksum import mix_sql
from contracts.tables.first import gained_since
from contracts.tables.table import Column as ContractColumn
from contracts.tables.table import StarTable
from contracts.tables.types import DATE

#: Rows that one partition numbers.
ROWS_PER_PARTITION = 250_000
#: monotonically_increasing_id() puts the partition above this bit and the row's position below it.
_PARTITION_SHIFT = 33


def with_hash(frame: DataFrame, table: StarTable) -> DataFrame:
    """Add ``row_hash``: SHA-256 of the content, in which NULL differs from "" and no two rows read alike.

    Every value stands behind a NUL, which PostgreSQL text cannot hold, and a letter that tells whether it is NULL. A column that
    the contract has gained stands behind its name, and not at all where it is NULL: rows without a value get no new version.
    """
    return frame.withColumn("row_hash", F.expr(_row_hash(table, lambda column: f"`{column.name}`")))


def conformed(frame: DataFrame, table: StarTable, extras: Sequence[str] = ()) -> DataFrame:
    """Select a star table's content columns with their types, ``row_hash``, and the extras."""
    content = [f"{_conformed(column)} as `{column.name}`" for column in table.content_columns]
    return frame.selectExpr(*content, f"{_row_hash(table, _conformed)} as row_hash", *extras)


def _conformed(column: ContractColumn) -> str:
    return f"cast(`{column.name}` as {column.type.spark})"


def _row_hash(table: StarTable, value: Callable[[ContractColumn], str]) -> str:
    return f"sha2(concat({', '.join(_piece(table, column, value(column)) for column in table.content_columns)}), 256)"


def _piece(table: StarTable, column: ContractColumn, value: str) -> str:
    # A date as its number of days: Spark takes longer to write a date than for all the rest.
    text = f"unix_date({value})" if column.type is DATE else value
    if gained_since(table.name, column.name):
        return f"if({text} is null, '', concat('\\0c{column.name}\\0', cast({text} as string)))"
    return f"if({text} is null, '\\0n', '\\0v'), coalesce(cast({text} as string), '')"


def checksum(key: str) -> Column:
    """Return the aggregate that sums the key checksum of a column of integers."""
    return F.coalesce(F.sum(F.expr(mix_sql(f"`{key}`"))), F.lit(0))


def date_columns(table: StarTable) -> list[str]:
    """Return the columns of a table that refer to the calendar."""
    return [column.name for column in table.columns if column.references == "dim_date.date_id"]


def years(table: StarTable) -> Column:
    """Return the array of the years that a fact's row refers to; empty for other tables."""
    dates = date_columns(table)
    return F.array_distinct(F.array(*[F.year(name) for name in dates])) if dates else F.array().cast("array<int>")


def span_of_years(table: StarTable) -> list[Column]:
    """Return the aggregates ``first_year`` and ``last_year`` of what a fact's rows refer to; NULL for other tables."""
    dates = date_columns(table)
    if not dates:
        return [F.lit(None).cast("int").alias(name) for name in ("first_year", "last_year")]
    return [
        F.year(F.least(*[F.min(name) for name in dates])).alias("first_year"),
        F.year(F.greatest(*[F.max(name) for name in dates])).alias("last_year"),
    ]


def partition_statistics(frame: DataFrame, table: StarTable) -> DataFrame:
    """Count, for each partition of changed rows, what they are.

    Parameters
    ----------
    frame
        Content columns, and ``_is_new``.
    """
    is_new = F.col("_is_new")
    return frame.groupBy(F.spark_partition_id().alias("partition")).agg(
        F.count("*").alias("changed"),
        F.sum(is_new.cast("long")).alias("inserted"),
        F.coalesce(F.sum(F.when(is_new, F.expr(mix_sql(f"`{table.key}`")))), F.lit(0)).alias("inserted_checksum"),
        F.min(F.when(is_new, F.col(table.key))).alias("lowest_inserted"),
        F.min(table.key).alias("lowest"),
        F.max(table.key).alias("highest"),
        F.array_distinct(F.flatten(F.collect_set(years(table)))).alias("years"),
    )


def record_ids(first_by_partition: Mapping[int, int]) -> Column:
    """Return the record id of each row, which follows the order of the rows in their partitions.

    Parameters
    ----------
    first_by_partition
        Record id of the first row of each partition that has any. The same input gets the same ids on every run.
    """
    position = F.monotonically_increasing_id()
    first = F.create_map(*[F.lit(n) for pair in sorted(first_by_partition.items()) for n in pair])
    partition = F.shiftright(position, _PARTITION_SHIFT)
    within = position.bitwiseAND(F.lit(2**_PARTITION_SHIFT - 1))
    return first[partition.cast("int")].cast("long") + within
