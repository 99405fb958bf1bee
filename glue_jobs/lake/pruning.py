"""How the lake's tables are partitioned, as Spark and Iceberg are told it."""

import re
from collections.abc import Collection

from pyspark.sql import Column
from pyspark.sql import functions as F

from contracts.tables.table import StarTable

#: Iceberg compares no file's statistics with a list of more values than this.
_LISTED = 200
#: More ranges than this do not make the files that are read fewer.
_RANGES = 64


def among(column: str, keys: Collection[int]) -> Column:
    """Return the filter "`column` is one of `keys`", in a form by which Iceberg leaves out files.

    Ranges stand beside a list that is too long for Iceberg: behind it, because a row costs one look into the list,
    and a comparison with each of the ranges.
    """
    ordered = sorted(keys)
    listed = f"`{column}` in ({', '.join(map(str, ordered))})"
    if len(ordered) <= _LISTED:
        return F.expr(listed)
    gaps = sorted(range(1, len(ordered)), key=lambda i: ordered[i - 1] - ordered[i])[: _RANGES - 1]
    starts = [0, *sorted(gaps)]
    ranges = [
        f"`{column}` between {ordered[start]} and {ordered[end - 1]}"
        for start, end in zip(starts, [*starts[1:], len(ordered)], strict=True)
    ]
    return F.expr(f"{listed} and ({' or '.join(ranges)})")


def buckets(keys: Collection[int], table: StarTable) -> list[tuple[int, int]]:
    """Return the ranges of keys, ends included, of the partitions that `keys` lie in; none when there is one partition."""
    if not (span := width(table)):
        return []
    return [(number * span, (number + 1) * span - 1) for number in sorted({key // span for key in keys})]


def bucket(table: StarTable) -> Column | None:
    """Return the number of the partition that a row lies in, or None when there is one partition."""
    keys = width(table)
    return F.floor(F.col(table.key) / keys) if keys else None


def month(table: StarTable) -> Column | None:
    """Return the month by which a table is partitioned, or None."""
    columns = re.findall(r"months\((\w+)\)", " ".join(table.partitioning))
    return F.trunc(columns[0], "month") if columns else None


def condition(path: str, span: int) -> str:
    """Return the SQL condition of a partition, from its path: ``created_date_month=2024-11`` or ``…_trunc=100000``."""
    if not path:
        return "true"
    name, _, value = path.partition("=")
    if name.endswith("_month"):
        column, first = name.removesuffix("_month"), f"date'{value}-01'"
        return f"(`{column}` >= {first} and `{column}` < add_months({first}, 1))"
    low = int(value)
    if low % span:  # the partition of the lowest keys begins below the lowest integer: Iceberg's number wraps around
        low -= 2**32
    return f"`{name.removesuffix('_trunc')}` between {low} and {low + span - 1}"


def width(table: StarTable) -> int:
    """Return how many keys a partition spans, or 0 when the table is not partitioned by its keys."""
    found = re.findall(r"truncate\((\d+), \w+\)", " ".join(table.partitioning))
    return int(found[0]) if found else 0
