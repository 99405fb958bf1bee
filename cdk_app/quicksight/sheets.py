"""A page as a sheet: what it says, as of when, its figures, its charts, and what a reader chooses by."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from analytics.dashboard.parts import Page
from cdk_app.quicksight.fields import Body
from cdk_app.quicksight.filters import Filter
from cdk_app.quicksight.visuals import as_of, as_of_id, chart, kpi

#: Columns of Quick Sight's grid, and rows that a thing takes.
_COLUMNS = 36
_TEXT_ROWS, _KPI_ROWS, _CHART_ROWS = 5, 6, 12
#: Charts side by side.
_CHARTS = 2


def sheet(page: Page, filters: Sequence[Filter]) -> Body:
    """Return the sheet of a page.

    Parameters
    ----------
    filters
        Every filter of the dashboard; the sheet has a control for each that concerns it.
    """
    own = [chosen for chosen in filters if page.id in chosen.scope]
    return {
        "SheetId": page.id,
        "Name": page.title,
        "Description": page.says,
        "ContentType": "INTERACTIVE",
        "TextBoxes": [{"SheetTextBoxId": _text_id(page), "Content": _text(page)}],
        "Visuals": [as_of(page), *(kpi(shown) for shown in page.kpis), *(chart(shown) for shown in page.visuals)],
        "Layouts": [{"Configuration": {"GridLayout": {"Elements": _elements(page)}}}],
        "FilterControls": [chosen.control(page) for chosen in own],
        "SheetControlLayouts": [
            {"Configuration": {"GridLayout": {"Elements": _controls([chosen.control_id(page) for chosen in own])}}}
        ],
    }


def _text_id(page: Page) -> str:
    return f"{page.id}-text"


def _text(page: Page) -> str:
    title, says = escape(page.title), escape(page.says)
    return f'<text-box><inline font-size="24px"><b>{title}</b></inline><br/>{says}</text-box>'


def _elements(page: Page) -> list[Body]:
    """Place what a sheet has: text and moment, figures in one row, charts two by two."""
    text = _COLUMNS * 2 // 3
    placed = [
        _element(_text_id(page), "TEXT_BOX", 0, text, 0, _TEXT_ROWS),
        _element(as_of_id(page), "VISUAL", text, _COLUMNS - text, 0, _TEXT_ROWS),
    ]
    row = _TEXT_ROWS
    placed += _row([shown.id for shown in page.kpis], row, _KPI_ROWS)
    row += _KPI_ROWS
    charts = [shown.id for shown in page.visuals]
    for start in range(0, len(charts), _CHARTS):
        placed += _row(charts[start : start + _CHARTS], row, _CHART_ROWS)
        row += _CHART_ROWS
    return placed


def _row(visuals: Sequence[str], row: int, rows: int) -> list[Body]:
    """Place visuals side by side, the whole width between them."""
    edges = [_COLUMNS * place // len(visuals) for place in range(len(visuals) + 1)]
    return [
        _element(name, "VISUAL", start, end - start, row, rows)
        for name, start, end in zip(visuals, edges, edges[1:], strict=False)
    ]


def _controls(names: Sequence[str]) -> list[Body]:
    """Place controls; Quick Sight arranges them itself, twelve columns each."""
    return [{"ElementId": name, "ElementType": "FILTER_CONTROL", "ColumnSpan": 12, "RowSpan": 1} for name in names]


def _element(name: str, kind: str, column: int, columns: int, row: int, rows: int) -> Body:
    return {
        "ElementId": name,
        "ElementType": kind,
        "ColumnIndex": column,
        "ColumnSpan": columns,
        "RowIndex": row,
        "RowSpan": rows,
    }
