"""One sheet of the dashboard: how many, how much by month and currency, and how much by the star's first dimension."""

from typing import Any

from aws_cdk.aws_quicksight import CfnDashboard as D

from cdk_app.dashboard_data import Star


def sheet(star: Star) -> Any:
    """Return the sheet of a star."""
    key = star.name.lower()
    return D.SheetDefinitionProperty(
        sheet_id=key, name=star.name, visuals=[_count(star), _by_month(star), _by_first(star)]
    )


def _count(star: Star) -> Any:
    key = f"{star.name.lower()}-count"
    return D.VisualProperty(
        kpi_visual=D.KPIVisualProperty(
            visual_id=key,
            title=_title(f"{star.name}: number"),
            chart_configuration=D.KPIConfigurationProperty(
                field_wells=D.KPIFieldWellsProperty(values=[_measure(star, star.fact.key, f"{key}-value", "COUNT")])
            ),
        )
    )


def _by_month(star: Star) -> Any:
    key = f"{star.name.lower()}-month"
    month = D.DimensionFieldProperty(
        date_dimension_field=D.DateDimensionFieldProperty(
            field_id=key, column=_column(star, "created_date"), date_granularity="MONTH"
        )
    )
    return D.VisualProperty(
        line_chart_visual=D.LineChartVisualProperty(
            visual_id=f"{star.name.lower()}-by-month",
            title=_title(f"{star.name}: amount by month and currency"),
            chart_configuration=D.LineChartConfigurationProperty(
                type="LINE",
                field_wells=D.LineChartFieldWellsProperty(
                    line_chart_aggregated_field_wells=D.LineChartAggregatedFieldWellsProperty(
                        category=[month],
                        values=[_measure(star, "amount", f"{key}-amount", "SUM")],
                        colors=[_category(star, "currency_code", f"{key}-currency")],
                    )
                ),
            ),
        )
    )


def _by_first(star: Star) -> Any:
    key, first = f"{star.name.lower()}-bar", star.first()
    return D.VisualProperty(
        bar_chart_visual=D.BarChartVisualProperty(
            visual_id=f"{star.name.lower()}-by-{first.replace('_', '-')}",
            title=_title(f"{star.name}: amount by {first.replace('_', ' ')}"),
            chart_configuration=D.BarChartConfigurationProperty(
                orientation="HORIZONTAL",
                field_wells=D.BarChartFieldWellsProperty(
                    bar_chart_aggregated_field_wells=D.BarChartAggregatedFieldWellsProperty(
                        category=[_category(star, first, f"{key}-category")],
                        values=[_measure(star, "amount", f"{key}-amount", "SUM")],
                        colors=[_category(star, "currency_code", f"{key}-currency")],
                    )
                ),
            ),
        )
    )


def _column(star: Star, name: str) -> Any:
    return D.ColumnIdentifierProperty(data_set_identifier=star.name, column_name=name)


def _measure(star: Star, name: str, field: str, function: str) -> Any:
    return D.MeasureFieldProperty(
        numerical_measure_field=D.NumericalMeasureFieldProperty(
            field_id=field,
            column=_column(star, name),
            aggregation_function=D.NumericalAggregationFunctionProperty(simple_numerical_aggregation=function),
        )
    )


def _category(star: Star, name: str, field: str) -> Any:
    return D.DimensionFieldProperty(
        categorical_dimension_field=D.CategoricalDimensionFieldProperty(field_id=field, column=_column(star, name))
    )


def _title(text: str) -> Any:
    return D.VisualTitleLabelOptionsProperty(
        visibility="VISIBLE", format_text=D.ShortFormatTextProperty(plain_text=text)
    )
