"""A figure, a chart, and the moment as of which a page is, as visuals."""

from analytics.dashboard.description import MAIN_COLOUR, SYNC
from analytics.dashboard.parts import CURRENCY, Chart, DataSet, Kpi, Measure, Page, Unit, Visual
from cdk_app.quicksight.fields import Body, axis_name, column, dimension, has, measure, newest

_NEWEST_BATCH = Measure("batch", "Batch", Unit.NUMBER, "Number of the newest batch.", "max")


def kpi(shown: Kpi) -> Body:
    """Return one number; a sum over days is that of the newest period, compared with the period before."""
    wells: Body = {"Values": [measure(shown.data, shown.measure, f"{shown.id}-value")]}
    options: Body = {"PrimaryValueDisplayType": "ACTUAL"}
    if shown.data.day and shown.measure.aggregate == "sum":
        wells["TrendGroups"] = [dimension(shown.data, shown.data.day, f"{shown.id}-trend")]
        options["Comparison"] = {"ComparisonMethod": "PERCENT_DIFFERENCE"}
    chosen = " In the chosen currency." if has(shown.data, CURRENCY) else ""
    configuration = {"FieldWells": wells, "KPIOptions": options}
    return {"KPIVisual": _visual(shown.id, shown.measure.label, f"{shown.measure.explanation}{chosen}", configuration)}


def as_of_id(page: Page) -> str:
    """Return the id of the visual that says as of when a page is."""
    return f"{page.id}-as-of"


def as_of(page: Page) -> Body:
    """Return the moment at which the source was read for the newest batch that is shown, and the batch's number."""
    name = as_of_id(page)
    moment, batch = f"{name}-moment", f"{name}-batch"
    values = [newest(SYNC, "snapshot_time", moment), measure(SYNC, _NEWEST_BATCH, batch)]
    labels = [
        {"FieldId": moment, "CustomLabel": "Source as of (UTC)"},
        {"FieldId": batch, "CustomLabel": _NEWEST_BATCH.label},
    ]
    configuration = {
        "FieldWells": {"TableAggregatedFieldWells": {"GroupBy": [], "Values": values}},
        "FieldOptions": {"SelectedFieldOptions": labels},
    }
    says = "When the source was read for the newest batch that is shown."
    return {"TableVisual": _visual(name, "As of", says, configuration)}


def chart(shown: Visual) -> Body:
    """Return one chart."""
    wells = {
        "Category": [dimension(shown.data, shown.dimension, f"{shown.id}-axis")],
        "Values": [measure(shown.data, shown.measure, f"{shown.id}-value")],
        "Colors": [dimension(shown.data, shown.split, f"{shown.id}-colour")] if shown.split else [],
    }
    chosen = " In the chosen currency." if has(shown.data, CURRENCY) and not shown.all_currencies else ""
    configuration: Body = {"Legend": {"Visibility": "VISIBLE" if shown.split else "HIDDEN"}}
    if not shown.split:
        configuration["VisualPalette"] = {"ChartColor": MAIN_COLOUR}
    configuration |= _line(shown, wells) if shown.chart is Chart.LINE else _bars(shown, wells)
    kind = "LineChartVisual" if shown.chart is Chart.LINE else "BarChartVisual"
    return {kind: _visual(shown.id, shown.title, f"{shown.measure.explanation}{chosen}", configuration)}


def order_field(data: DataSet, name: str) -> str:
    """Return the name of the calculated field by which values of a column stand in their order."""
    return f"order of {data.column(name).name}"


def _line(shown: Visual, wells: Body) -> Body:
    limit = {"CategoryItemsLimitConfiguration": _limit(shown)} if shown.top else {}
    return {
        "Type": "LINE",
        "FieldWells": {"LineChartAggregatedFieldWells": wells},
        "SortConfiguration": {"CategorySort": [_sorting(shown)]} | limit,
        "XAxisLabelOptions": _label(shown, shown.dimension, "axis", axis_name(shown.data, shown.dimension)),
        "PrimaryYAxisLabelOptions": _label(shown, shown.measure.column, "value", shown.measure.label),
    }


def _bars(shown: Visual, wells: Body) -> Body:
    limit = {"CategoryItemsLimit": _limit(shown)} if shown.top else {}
    return {
        "Orientation": "HORIZONTAL" if shown.chart is Chart.BAR else "VERTICAL",
        "BarsArrangement": "CLUSTERED",
        "FieldWells": {"BarChartAggregatedFieldWells": wells},
        "SortConfiguration": {"CategorySort": [_sorting(shown)]} | limit,
        "CategoryLabelOptions": _label(shown, shown.dimension, "axis", axis_name(shown.data, shown.dimension)),
        "ValueLabelOptions": _label(shown, shown.measure.column, "value", shown.measure.label),
    }


def _sorting(shown: Visual) -> Body:
    """Return the order along the axis: the description's own, by size, or that of the axis."""
    if shown.order:
        place = {"DataSetIdentifier": shown.data.name, "ColumnName": order_field(shown.data, shown.dimension)}
        first = {"NumericalAggregationFunction": {"SimpleNumericalAggregation": "MIN"}}
        return {"ColumnSort": {"SortBy": place, "Direction": "ASC", "AggregationFunction": first}}
    if shown.chart is Chart.BAR:
        return {"FieldSort": {"FieldId": f"{shown.id}-value", "Direction": "DESC"}}
    return {"FieldSort": {"FieldId": f"{shown.id}-axis", "Direction": "ASC"}}


def _limit(shown: Visual) -> Body:
    return {"ItemsLimit": shown.top, "OtherCategories": "EXCLUDE"}


def _label(shown: Visual, name: str, field: str, text: str) -> Body:
    applied = {"FieldId": f"{shown.id}-{field}", "Column": column(shown.data, name)}
    return {"AxisLabelOptions": [{"CustomLabel": text, "ApplyTo": applied}]}


def _visual(name: str, title: str, says: str, configuration: Body) -> Body:
    return {
        "VisualId": name,
        "Title": {"Visibility": "VISIBLE", "FormatText": {"PlainText": title}},
        "Subtitle": {"Visibility": "VISIBLE", "FormatText": {"PlainText": says}},
        "ChartConfiguration": configuration,
        "VisualContentAltText": f"{title}. {says}",
    }
