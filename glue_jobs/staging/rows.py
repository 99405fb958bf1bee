"""What a batch offers a star table: the rows of its parts, and those that earlier batches quarantined."""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.tables.lake import QUARANTINE_ROW
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.table import SourceTable, StarTable
from glue_jobs.context import Batch
from glue_jobs.staging.parts import absent_columns, is_at_hand, key_list, read_raw
from glue_jobs.star import BUILDERS
from glue_jobs.star.content import conformed
from glue_jobs.star.conversion import problem, typed

#: Tells whether a row was quarantined by an earlier batch.
QUARANTINED = "_was_quarantined"


def is_offered(batch: Batch, table: StarTable) -> bool:
    """Tell whether the batch has anything for `table`: rows, or quarantined rows that may pass now."""
    names = (table.source, *table.joins)
    return batch.before[table.name].quarantined > 0 or any(
        batch.manifest.tables[name].read != "nothing" for name in names
    )


def rows_offered(batch: Batch, table: StarTable) -> int:
    """Return how many rows the batch may have to look at for a star table."""
    names = (table.source, *table.joins)
    return max(batch.manifest.tables[name].rows for name in names) + batch.before[table.name].quarantined


def raw_rows(batch: Batch, table: StarTable) -> DataFrame:
    """Return the rows of a star table's source, each key once: the contract's columns as text, and ``_was_quarantined``.

    A held row gives way to a newer one of the batch, and goes when the batch's key list lacks it.
    """
    source = SOURCE_TABLES[table.source]
    rows = _read(batch, source).withColumn(QUARANTINED, F.lit(False))
    if batch.before[table.name].quarantined:
        quarantined = _quarantined_before(batch, source)
        newer = rows.select(source.key).join(quarantined.select(source.key), source.key, "left_semi")
        quarantined = quarantined.join(newer, source.key, "left_anti")
        listed = key_list(batch.context.spark, batch.context.ingestion, batch.manifest, source.name)
        if listed is not None:
            quarantined = quarantined.join(listed.select(F.col(source.key).cast("string")), source.key, "left_semi")
        rows = rows.unionByName(quarantined.withColumn(QUARANTINED, F.lit(True)))
    return rows


def are_at_hand(batch: Batch, table: StarTable) -> bool:
    """Tell whether Spark holds the rows that `raw_rows` returns: to look at them again costs nothing."""
    return not batch.before[table.name].quarantined and is_at_hand(batch.manifest, table.source)


def star_rows(batch: Batch, table: StarTable, raw: DataFrame, extras: Sequence[str] = ()) -> DataFrame:
    """Make star rows with ``row_hash`` and the extras of raw rows; those with a problem are not to be shown."""
    sources = {table.source: typed(raw, SOURCE_TABLES[table.source], extras)}
    for name in table.joins:
        sources[name] = typed(good_rows(batch, name), SOURCE_TABLES[name])
    return conformed(BUILDERS[table.name](sources), table, extras)


def good_rows(batch: Batch, name: str) -> DataFrame:
    """Return the raw rows of a source table in the batch that can be shown by themselves."""
    source = SOURCE_TABLES[name]
    return _read(batch, source).where(own_problem(batch, source) == 0)


def own_problem(batch: Batch, source: SourceTable, missing: Mapping[str, str] | None = None) -> Column:
    """Return the number of the first problem of a raw row of the batch, or 0; see `glue_jobs.star.conversion.problem`."""
    return problem(source, missing, absent_columns(batch.manifest, source.name))


def _read(batch: Batch, source: SourceTable) -> DataFrame:
    return read_raw(batch.context.spark, batch.context.ingestion, batch.manifest, source.name)


def _quarantined_before(batch: Batch, source: SourceTable) -> DataFrame:
    """Return the raw rows quarantined before this batch."""
    rows = batch.rows_before(QUARANTINE_ROW)
    fields = ", ".join(f"`{name}` string" for name in source.column_names)
    content = F.from_json("content", fields).alias("row")
    return rows.where(F.col("source_table") == source.name).select(content).select("row.*")
