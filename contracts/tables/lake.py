"""What the lake has beside the star tables: histories of dimensions, deletions, quarantined rows, and lineage columns."""

from contracts.tables.star import DIM_COUNTERPARTY, DIM_DESIGN, DIM_LOCATION, DIM_STAFF, STAR_TABLES
from contracts.tables.table import Column, Kind, StarTable, text
from contracts.tables.types import BOOLEAN, INTEGER, MOMENT, TEXT

#: Trailing lineage columns of every lake table: the batch that wrote the row, and the hash of its content.
LINEAGE = (
    Column("batch_id", INTEGER, "Batch that wrote this row."),
    Column("row_hash", TEXT, "SHA-256 of the row's content; versions are compared by it, never by a timestamp."),
)


def _history(dimension: StarTable) -> StarTable:
    return StarTable(
        name=f"{dimension.name}_history",
        key=dimension.key,
        description=f"Every version of every row of {dimension.name}: contiguous while the row exists, never overlapping.",
        kind=Kind.HISTORY,
        source=dimension.source,
        joins=dimension.joins,
        columns=(
            *dimension.columns,
            Column(
                "valid_from",
                MOMENT,
                "When the version began, UTC: the first one when the source row was written, a later one with the snapshot "
                "that saw it.",
            ),
            Column(
                "valid_to",
                MOMENT,
                "When the next version began or the row was found deleted; NULL while it holds.",
                nullable=True,
            ),
            Column("is_current", BOOLEAN, "Whether it holds."),
        ),
    )


#: Dimension → its history.
HISTORIES = {d.name: _history(d) for d in (DIM_STAFF, DIM_DESIGN, DIM_COUNTERPARTY, DIM_LOCATION)}


SOURCE_DELETION = StarTable(
    name="source_deletion",
    key="source_key",
    description="Keys found deleted in the source. A key is deleted now when no version of it has a higher batch_id.",
    kind=Kind.LOG,
    columns=(
        text("source_table", "Table of the source."),
        Column("source_key", INTEGER, "Primary key of the deleted row."),
        Column("deleted_at", MOMENT, "Snapshot, UTC, in which it was missing."),
    ),
)


QUARANTINE = StarTable(
    name="quarantine",
    key="source_key",
    description="Rows that fail a check, and until when. Personal values are masked.",
    kind=Kind.LOG,
    columns=(
        text("source_table", "Table of the source."),
        Column("source_key", INTEGER, "Primary key of the row."),
        text("column_name", "The first column that fails a check."),
        text("value", "What the source has there; NULL, or masked when it is personal.", nullable=True),
        text("reason", "Which check it fails."),
        Column("has_older_version", BOOLEAN, "Whether the lake goes on showing an older version of the row."),
        Column("opened_batch", INTEGER, "Batch that quarantined the row."),
        Column("opened_at", MOMENT, "Snapshot of that batch, UTC."),
        Column(
            "closed_batch",
            INTEGER,
            "Batch in which it passed or was gone; NULL while it is quarantined.",
            nullable=True,
        ),
        Column("closed_at", MOMENT, "Snapshot of that batch, UTC.", nullable=True),
    ),
)


QUARANTINE_ROW = StarTable(
    name="quarantine_row",
    key="source_key",
    description="The rows that are quarantined now, as extracted, personal values included: grant nobody access but the job.",
    kind=Kind.LOG,
    columns=(
        text("source_table", "Table of the source."),
        Column("source_key", INTEGER, "Primary key of the row."),
        text("content", "The row as a JSON object of texts; NULL is absent.", personal=True),
    ),
)


#: All tables of the lake, in the order in which they are written.
LAKE_TABLES: dict[str, StarTable] = {
    **STAR_TABLES,
    **{t.name: t for t in (*HISTORIES.values(), SOURCE_DELETION, QUARANTINE, QUARANTINE_ROW)},
}
