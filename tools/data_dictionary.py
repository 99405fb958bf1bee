"""The data dictionary, ``docs/data-dictionary.md``, written from the contracts: ``make dictionary``."""

from collections.abc import Callable, Iterable

from analytics.sync_history import DOCUMENTS, DocumentTable, SyncView, sync_views
from contracts.tables.current import LakeSql
from contracts.tables.lake import LAKE_TABLES, LINEAGE
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.star import STAR_TABLES
from contracts.tables.table import Column, Kind, Reading, SourceTable, StarTable
from contracts.tables.view import View
from contracts.tables.views import VIEWS

_INTRODUCTION = """# Data dictionary

Written from the contracts (`contracts/`) by `make dictionary`; a test keeps the two equal. A column may be NULL only where it
says so. Values of columns marked *personal* never appear in logs or messages.
"""


def render() -> str:
    """Return the whole dictionary as Markdown."""
    star = [_star(table) for table in STAR_TABLES.values()]
    beside = [_star(table) for name, table in LAKE_TABLES.items() if name not in STAR_TABLES]
    source = [_source(table) for table in SOURCE_TABLES.values()]
    views = [_view(view) for view in VIEWS.values()]
    history = [_documents(documents) for documents in DOCUMENTS] + [_view(view) for view in sync_views(LakeSql("", ""))]
    return "\n".join(
        [
            _INTRODUCTION,
            "## The star tables\n\nIn the lake (Athena, Glue database) and in the warehouse. Lake tables have two more columns:\n",
            _columns(LINEAGE, "lake type", lambda c: c.type.spark),
            *star,
            "## Beside them in the lake\n\nThe warehouse has the histories and `source_deletion` in its schema `etl`.\n",
            *beside,
            "## The views\n\nIn the lake and in the warehouse.\n",
            *views,
            "## The history of synchronisation\n\nIn the raw database: what the documents in S3 say.\n",
            *history,
            "## The source tables\n\nAs `totesys` has them, and as the CSV log in the raw database keeps them.\n",
            *source,
        ]
    )


def _star(table: StarTable) -> str:
    lines = [f"### {table.name}\n", table.description]
    if table.kind is Kind.LOG:
        lines.append("\nKept by the transform job.")
    elif table.source:
        lines.append(f"\nFrom `{table.source}`" + "".join(f" with `{name}`" for name in table.joins) + ".")
    else:
        lines.append("\nMade from the dates that facts refer to.")
    if table.record_id:
        lines.append(
            f"\nOne row for each version: `{table.record_id}` is its primary key, `{table.key}` the business key."
        )
    if table.partitioning:
        lines.append(f"\nPartitioned in the lake by `{', '.join(table.partitioning)}`.")
    return "\n".join([*lines, "", _columns(table.columns, "lake / warehouse type", _both)])


def _source(table: SourceTable) -> str:
    how = "read whole, with its group, when any row changed" if table.reading is Reading.WHOLE else "read incrementally"
    return "\n".join(
        [
            f"### {table.name}\n",
            f"{table.description} Key: `{table.key}`; {how}.",
            "",
            _columns(table.columns, "type", lambda c: c.type.name),
        ]
    )


def _view(view: View | SyncView) -> str:
    return f"### {view.name}\n\n{view.description}\n\n{_columns(view.columns, 'lake / warehouse type', _both)}"


def _documents(documents: DocumentTable) -> str:
    rows = [f"| `{name}` | {kind.replace('|', '')} | {said} |" for name, kind, said in documents.columns]
    head = ["| column | type | description |", "|---|---|---|"]
    return "\n".join([f"### {documents.name}\n\n{documents.description}\n", *head, *rows, ""])


def _both(column: Column) -> str:
    lake, warehouse = column.type.spark, column.type.warehouse
    return lake if lake == warehouse else f"{lake} / {warehouse}"


def _columns(columns: Iterable[Column], heading: str, spell: Callable[[Column], str]) -> str:
    rows = [f"| column | {heading} | NULL | refers to | description |", "|---|---|---|---|---|"]
    for column in columns:
        reference = f"`{column.references}`" if column.references else ""
        description = column.description + (" *Personal.*" if column.personal else "")
        rows.append(
            f"| `{column.name}` | {spell(column)} | {'yes' if column.nullable else ''} | {reference} | {description} |"
        )
    return "\n".join([*rows, ""])


if __name__ == "__main__":
    print(render(), end="")
