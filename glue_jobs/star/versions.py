"""Versions of rows: told by their content, numbered without a sort of everything in one place."""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.checksum import mix_sql
from contracts.table import StarTable

#: Rows that one partition numbers; a batch smaller than this uses a single one.
ROWS_PER_PARTITION = 250_000
#: monotonically_increasing_id() puts the partition above this bit and the row's position below it.
_PARTITION_SHIFT = 33


def with_hash(frame: DataFrame, table: StarTable) -> DataFrame:
    """Add ``row_hash``: SHA-256 of the content as JSON, where NULL is absence and so differs from ""."""
    content = F.to_json(F.struct(*[F.col(c.name) for c in table.content_columns]))
    return frame.withColumn("row_hash", F.sha2(content, 256))


def newest_hashes(lake: DataFrame, incoming: DataFrame, table: StarTable) -> DataFrame:
    """Return key and hash of the newest version, in the lake, of every incoming key."""
    keys = incoming.select(table.key).distinct()
    known = lake.join(keys, table.key, "left_semi")
    if table.record_id:
        newest = known.groupBy(table.key).agg(F.max_by("row_hash", table.record_id).alias("known_hash"))
    else:
        newest = known.select(table.key, F.col("row_hash").alias("known_hash"))
    return newest


def classified(incoming: DataFrame, newest: DataFrame | None, table: StarTable, rows: int) -> DataFrame:
    """Tell inserted, updated and unchanged rows apart, ordered by key over the partitions.

    Parameters
    ----------
    incoming
        Content columns and ``row_hash``; one row a key.
    newest
        Result of `newest_hashes`, or None when the lake's table is empty.
    rows
        About how many rows `incoming` has; decides the number of partitions.

    Returns
    -------
    DataFrame
        `incoming` with ``is_new`` and ``is_changed``.
    """
    if newest is None:
        frame = incoming.withColumns({"is_new": F.lit(True), "is_changed": F.lit(True)})
    else:
        frame = (
            incoming.join(newest, table.key, "left")
            .withColumn("is_new", F.col("known_hash").isNull())
            .withColumn("is_changed", ~F.col("row_hash").eqNullSafe(F.col("known_hash")))
            .drop("known_hash")
        )
    partitions = rows // ROWS_PER_PARTITION + 1
    spread = frame.coalesce(1) if partitions == 1 else frame.repartitionByRange(partitions, table.key)
    return spread.sortWithinPartitions(table.key)


def partition_statistics(frame: DataFrame, table: StarTable) -> DataFrame:
    """Count, for each partition of a `classified` frame, its rows and what they are."""
    key = F.unix_date(table.key) if table.column(table.key).type.spark == "date" else F.col(table.key)
    mixed = F.expr(mix_sql("mixed_key"))
    flag = {name: F.col(name).cast("long") for name in ("is_new", "is_changed")}
    return (
        frame.withColumn("mixed_key", key)
        .groupBy(F.spark_partition_id().alias("partition"))
        .agg(
            F.count("*").alias("rows"),
            F.sum(flag["is_changed"]).alias("changed"),
            F.sum(flag["is_new"]).alias("inserted"),
            F.sum(F.when(F.col("is_new"), mixed).otherwise(0)).alias("inserted_checksum"),
        )
    )


def record_ids(first_by_partition: Mapping[int, int]) -> Column:
    """Return the record id of each row of a filtered `classified` frame.

    Parameters
    ----------
    first_by_partition
        Record id of the first row of each partition that has any. Ids then follow the order of
        keys: the same input gets the same ids on every run.
    """
    position = F.monotonically_increasing_id()
    first = F.create_map(*[F.lit(n) for pair in sorted(first_by_partition.items()) for n in pair])
    partition = F.shiftright(position, _PARTITION_SHIFT)
    within = position.bitwiseAND(F.lit(2**_PARTITION_SHIFT - 1))
    return first[partition.cast("int")].cast("long") + within
