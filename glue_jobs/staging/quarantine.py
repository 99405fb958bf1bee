"""Quarantined rows: kept whole until they pass, and listed, with personal values masked, as long as there is a lake."""

from collections.abc import Callable, Mapping
from functools import partial

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.protocol.publication import TablePublication
from contracts.tables.lake import QUARANTINE, QUARANTINE_ROW
from contracts.tables.star import STAR_TABLES
from contracts.tables.table import SourceTable, StarTable
from glue_jobs.commit import commit_once
from glue_jobs.context import Batch, Outcome, unchanged
from glue_jobs.star.conversion import shown

_IDENTITY = ["source_table", "source_key"]
_PROBLEM = ["column_name", "value", "reason", "has_older_version"]


def quarantined_rows(source: SourceTable, raw: DataFrame, number: Column, is_older: Column | None = None) -> DataFrame:
    """Describe raw rows that are quarantined.

    Parameters
    ----------
    number
        The problem for which each is.
    is_older
        Whether the lake goes on showing an older version; without it, it does not.
    """
    return raw.withColumn("_number", number).select(
        F.lit(source.name).alias("source_table"),
        F.col(source.key).cast("int").alias("source_key"),
        *shown(source, F.col("_number")),
        (F.lit(False) if is_older is None else is_older).alias("has_older_version"),
        F.to_json(F.struct(*source.column_names)).alias("content"),
    )


def record(batch: Batch, outcomes: Mapping[str, Outcome]) -> dict[str, TablePublication]:
    """Commit what is quarantined after the batch, and return the publications of both tables.

    Entries of tables of which the batch holds nothing stay as they are.
    """
    before = {table.name: batch.before[table.name] for table in (QUARANTINE, QUARANTINE_ROW)}
    batch.begin(QUARANTINE_ROW)
    looked_at = {name: outcome for name, outcome in outcomes.items() if outcome.raw is not None}
    is_quiet = all(o.quarantined is None and not batch.before[name].quarantined for name, o in looked_at.items())
    if is_quiet:
        return {name: unchanged(publication) for name, publication in before.items()}
    for table in (QUARANTINE, QUARANTINE_ROW):
        batch.context.lake.ensure(table)  # what was there before is read from them
    sources = [STAR_TABLES[name].source for name in looked_at]
    frames = [outcome.quarantined for outcome in looked_at.values() if outcome.quarantined is not None]
    return {
        table.name: commit_once(batch, table, partial(_whole, batch, made, sources, frames), replaces_all=True)
        for table, made in ((QUARANTINE, _entries), (QUARANTINE_ROW, _rows))
    }


def _whole(batch: Batch, made: Callable[..., DataFrame], sources: list[str], frames: list[DataFrame]) -> DataFrame:
    return made(batch, sources, frames).withColumn("batch_id", F.lit(batch.number)).coalesce(1)


def _entries(batch: Batch, sources: list[str], frames: list[DataFrame]) -> DataFrame:
    old, now = batch.rows_before(QUARANTINE), batch.moment
    is_open = F.col("closed_batch").isNull() & F.col("source_table").isin(sources)
    others = old.where(~is_open)
    quarantined = _union(batch, QUARANTINE, frames, [*_IDENTITY, *_PROBLEM])
    open_before = old.where(is_open).select(
        *_IDENTITY, *[F.col(name).alias(f"_{name}") for name in [*_PROBLEM, "opened_batch", "opened_at"]]
    )
    is_quarantined = F.col("reason").isNotNull()
    both = open_before.join(quarantined, _IDENTITY, "full")
    entries = both.select(
        *_IDENTITY,
        *[F.when(is_quarantined, F.col(name)).otherwise(F.col(f"_{name}")).alias(name) for name in _PROBLEM],
        F.coalesce("_opened_batch", F.lit(batch.number)).alias("opened_batch"),
        F.coalesce("_opened_at", now).alias("opened_at"),
        F.when(~is_quarantined, F.lit(batch.number)).alias("closed_batch"),
        F.when(~is_quarantined, now).alias("closed_at"),
    )
    return others.select(*entries.columns).unionByName(entries)


def _rows(batch: Batch, sources: list[str], frames: list[DataFrame]) -> DataFrame:
    columns = [*_IDENTITY, "content"]
    others = batch.rows_before(QUARANTINE_ROW).where(~F.col("source_table").isin(sources)).select(*columns)
    return others.unionByName(_union(batch, QUARANTINE_ROW, frames, columns))


def _union(batch: Batch, table: StarTable, frames: list[DataFrame], columns: list[str]) -> DataFrame:
    union = batch.context.lake.read(table).where("false").select(*columns)
    for frame in frames:
        union = union.unionByName(frame.select(*columns))
    return union
