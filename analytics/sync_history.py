"""The history of synchronisation as tables of the raw database: what manifests, publications and load notes say.

Nothing writes them: the documents lie in S3 as the platform commits them, one JSON object a line, and Athena reads them. The
warehouse has the same in its ledger.
"""

from dataclasses import dataclass

from contracts.protocol.object_layout import LOAD_PREFIX, MANIFEST_PREFIX, PUBLICATION_PREFIX
from contracts.tables.current import LakeSql, stored_moment
from contracts.tables.lake import QUARANTINE
from contracts.tables.ledger import BATCH, BATCH_TABLE
from contracts.tables.table import Column, text
from contracts.tables.types import BIGINT, BOOLEAN, DOUBLE, INTEGER, MOMENT


@dataclass(frozen=True, slots=True)
class DocumentTable:
    """Documents of one kind as a table, a row each.

    Attributes
    ----------
    name, description
        As the catalog has them.
    bucket
        ``ingestion`` or ``processed``.
    prefix
        Where the documents lie.
    columns
        Name, type in Hive's words, and meaning of the fields that are shown.
    """

    name: str
    description: str
    bucket: str
    prefix: str
    columns: tuple[tuple[str, str, str], ...]


_MANIFEST_TABLE = "read:string,rows:bigint,source_count:bigint,reason:string"
_PUBLICATION_TABLE = "inserted:bigint,updated:bigint,deleted:bigint,quarantined:bigint,current_keys:bigint"
DOCUMENTS = (
    DocumentTable(
        "batch",
        "One row a manifest: what was extracted, when and why.",
        "ingestion",
        MANIFEST_PREFIX,
        (
            ("batch", "int", "Number of the manifest."),
            ("first", "int", "Number of the manifest that the batch begins with."),
            ("reason", "string", "Why everything was read, or empty."),
            ("horizon", "bigint", "Transaction id below which every transaction had ended."),
            ("snapshot_time", "string", "When the snapshot was taken, by the source's clock, ISO 8601 in UTC."),
            ("extracted_at", "string", "The same by the extraction's clock."),
            ("time_zone", "string", "Zone in which the source writes timestamps without one."),
            ("lake", "string", "Name of the lake."),
            ("release", "string", "Release that wrote it."),
            ("tables", f"map<string,struct<{_MANIFEST_TABLE}>>", "Source table to what was read of it."),
        ),
    ),
    DocumentTable(
        "publication",
        "One row a publication: what the lake made of a batch.",
        "processed",
        PUBLICATION_PREFIX,
        (
            ("batch", "int", "Number of the batch."),
            ("first", "int", "The number after the previous publication's."),
            ("snapshot_time", "string", "Of the batch, by the source's clock, ISO 8601 in UTC."),
            ("extracted_at", "string", "The same by the extraction's clock."),
            ("published_at", "string", "When the publication was written, ISO 8601 in UTC."),
            ("release", "string", "Release that wrote it."),
            ("tables", f"map<string,struct<{_PUBLICATION_TABLE}>>", "Table of the lake to what the batch did to it."),
        ),
    ),
    DocumentTable(
        "load_note",
        "One row a load note: from when on the warehouse has shown a batch and those before it.",
        "processed",
        LOAD_PREFIX,
        (
            ("batch", "int", "Newest batch that the warehouse shows."),
            ("confirmed_at", "string", "When the load said so, ISO 8601 in UTC."),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class SyncView:
    """A view of the raw database.

    Attributes
    ----------
    name, description, columns
        As the catalog has them.
    sql
        Its query.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    sql: str


def sync_views(lake: LakeSql) -> tuple[SyncView, ...]:
    """Return the views over the documents."""
    return (_batch_table(lake), _publication_table(lake), _quarantined(lake))


_BATCH = Column("batch", INTEGER, "Number of the batch.")
_SNAPSHOT = Column("snapshot_time", MOMENT, "When the source was read, UTC.")


def _batch_table(lake: LakeSql) -> SyncView:
    return SyncView(
        "batch_table",
        "What each manifest holds of each source table.",
        (
            _BATCH,
            text("table_name", "Table of the source."),
            _SNAPSHOT,
            text("read", "changed: rows changed since the batch before; whole: every row; nothing: none was changed."),
            text("reason", "Why it was read whole, of the table or of the batch; NULL for none.", nullable=True),
            Column("rows_read", BIGINT, "Rows in its parts."),
            Column("source_count", BIGINT, "Rows that the source had."),
        ),
        f"select b.batch, t.table_name, {stored_moment('b.snapshot_time')} as snapshot_time, "
        f"b.tables[t.table_name].read as read, "
        f"coalesce(nullif(b.tables[t.table_name].reason, ''), nullif(b.reason, '')) as reason, "
        f"b.tables[t.table_name].rows as rows_read, b.tables[t.table_name].source_count as source_count "
        f"from {lake.raw_database}.batch b cross join unnest(map_keys(b.tables)) as t (table_name)",
    )


def _publication_table(lake: LakeSql) -> SyncView:
    raw = lake.raw_database
    # a note confirms its batch and those before it
    taken = "coalesce(nullif(p.extracted_at, ''), p.snapshot_time)"
    moments = (
        f"select p.batch, p.tables, {stored_moment('p.snapshot_time')} as snapshot_time, "
        f"{stored_moment(taken)} as taken_at, "
        f"{stored_moment('p.published_at')} as published_at, min({stored_moment('l.confirmed_at')}) "
        f"over (order by p.batch desc rows between unbounded preceding and current row) as loaded_at "
        f"from {raw}.publication p left join {raw}.load_note l on l.batch = p.batch"
    )
    seconds = "cast(date_diff('millisecond', p.{0}, p.{1}) as double) / 1000 as {2}"
    return SyncView(
        "publication_table",
        "What each batch did to each table of the lake, and how long it took.",
        (
            _BATCH,
            text("table_name", "Table of the lake."),
            _SNAPSHOT,
            Column("published_at", MOMENT, "When the lake showed the batch, UTC."),
            Column("loaded_at", MOMENT, "When a load confirmed that the warehouse shows it, UTC.", nullable=True),
            Column("seconds_to_lake", DOUBLE, "From the reading of the source to the lake."),
            Column("seconds_to_warehouse", DOUBLE, "From the lake to the warehouse's confirmation.", nullable=True),
            Column("inserted", BIGINT, "Keys that are current for the first time or again."),
            Column("updated", BIGINT, "Keys whose content changed."),
            Column("deleted", BIGINT, "Keys found deleted."),
            Column("quarantined", BIGINT, "Rows of the source table that are quarantined after the batch."),
            Column("current_keys", BIGINT, "Keys that are current after the batch."),
        ),
        f"select p.batch, t.table_name, p.snapshot_time, p.published_at, p.loaded_at, "
        f"{seconds.format('taken_at', 'published_at', 'seconds_to_lake')}, "
        f"{seconds.format('published_at', 'loaded_at', 'seconds_to_warehouse')}, "
        f"p.tables[t.table_name].inserted as inserted, p.tables[t.table_name].updated as updated, "
        f"p.tables[t.table_name].deleted as deleted, p.tables[t.table_name].quarantined as quarantined, "
        f"p.tables[t.table_name].current_keys as current_keys "
        f"from ({moments}) p cross join unnest(map_keys(p.tables)) as t (table_name)",
    )


def _quarantined(lake: LakeSql) -> SyncView:
    shown = ", ".join(f"q.{name}" for name in QUARANTINE.column_names)
    return SyncView(
        "quarantined",
        "Every row that was ever quarantined, why, and until when. Personal values are masked.",
        (*QUARANTINE.columns, Column("is_open", BOOLEAN, "Whether it is quarantined now.")),
        f"select {shown}, q.closed_batch is null as is_open from {lake.name(QUARANTINE)} q",
    )


def ledger_query(ledger: str) -> str:
    """Return PostgreSQL's query of what each batch did to each star table; all moments are UTC.

    Parameters
    ----------
    ledger
        Schema of the ledger.
    """
    schema = '"' + ledger.replace('"', '""') + '"'
    moments = ", ".join(
        f"b.{name} at time zone 'UTC' as {name}" for name in ("snapshot_time", "published_at", "loaded_at")
    )
    return (
        f"select b.batch, t.table_name, {moments}, t.inserted, t.updated, t.deleted "
        f"from {schema}.{BATCH_TABLE} t join {schema}.{BATCH} b on b.batch = t.batch"
    )
