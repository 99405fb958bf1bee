"""The Quick Sight dashboard: one data set and one sheet for each star."""

from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_quicksight as qs
from constructs import Construct

from contracts.tables.current import LakeSql
from contracts.tables.star import FACT_PAYMENT, FACT_PURCHASE_ORDERS, FACT_SALES_ORDER, STAR_TABLES
from contracts.tables.table import Column, StarTable

_READ = ["DescribeDataSet", "DescribeDataSetPermissions", "PassDataSet", "DescribeIngestion", "ListIngestions"]
_OWN = ["UpdateDataSet", "DeleteDataSet", "CreateIngestion", "CancelIngestion", "UpdateDataSetPermissions"]
_SOURCE = [
    "DescribeDataSource",
    "DescribeDataSourcePermissions",
    "PassDataSource",
    "UpdateDataSource",
    "DeleteDataSource",
]
_DASHBOARD = [
    "DescribeDashboard",
    "ListDashboardVersions",
    "QueryDashboard",
    "UpdateDashboard",
    "DeleteDashboard",
    "DescribeDashboardPermissions",
    "UpdateDashboardPermissions",
    "UpdateDashboardPublishedVersion",
]


@dataclass(frozen=True, slots=True)
class Star:
    """One star as the dashboard shows it.

    Attributes
    ----------
    name, fact
        Title, and the fact table.
    amount
        SQL of the money column, over the alias ``f``.
    joins
        Dimension table → (column of the fact, column by which it is shown first).
    """

    name: str
    fact: StarTable
    amount: str
    joins: dict[str, tuple[str, str]]

    def columns(self) -> list[tuple[str, str]]:
        """Return name and Quick Sight type of the data set's columns: all of the fact and of its dimensions, none personal."""
        return [
            *[(column.name, column.type.quicksight) for column in self.fact.content_columns],
            ("amount", "DECIMAL"),
            *[(column.name, column.type.quicksight) for _, column in self._joined()],
        ]

    def first(self) -> str:
        """Return the column of the first dimension."""
        return next(iter(self.joins.values()))[1]

    def sql(self, database: str) -> str:
        """Return the query of the data set: the current rows of the fact with what they refer to."""
        joins = " ".join(
            f"JOIN {database}.{table} AS {table} ON {table}.{STAR_TABLES[table].key} = f.{key}"
            for table, (key, _) in self.joins.items()
        )
        own = ", ".join(f"f.{column.name}" for column in self.fact.content_columns)
        shown = ", ".join(f"{table}.{column.name}" for table, column in self._joined())
        current = LakeSql(database).current(self.fact)
        return f"SELECT {own}, {self.amount} AS amount, {shown} FROM ({current}) AS f {joins}"

    def _joined(self) -> list[tuple[str, Column]]:
        own = {column.name for column in self.fact.columns}
        return [
            (name, column)
            for name in self.joins
            for column in STAR_TABLES[name].columns
            if not column.personal and column.name not in own
        ]


_PARTY = {
    "dim_counterparty": ("counterparty_id", "counterparty_legal_name"),
    "dim_currency": ("currency_id", "currency_code"),
}
STARS = (
    Star(
        "Sales", FACT_SALES_ORDER, "f.units_sold * f.unit_price", {"dim_design": ("design_id", "design_name"), **_PARTY}
    ),
    Star(
        "Purchases",
        FACT_PURCHASE_ORDERS,
        "f.item_quantity * f.item_unit_price",
        {"dim_staff": ("staff_id", "department_name"), **_PARTY},
    ),
    Star(
        "Payments",
        FACT_PAYMENT,
        "f.payment_amount",
        {"dim_payment_type": ("payment_type_id", "payment_type_name"), **_PARTY},
    ),
)


class QuickSightDashboard(Construct):
    """Data source, a data set for each star, and one dashboard with a sheet for each.

    Every sheet shows the number of orders, the amount by month and currency, and the amount by the
    star's first dimension.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, prefix: str, database: str, workgroup: str, principal: str
    ) -> None:
        super().__init__(scope, construct_id)
        self._account = cdk.Stack.of(self).account
        self._principal = principal
        self._prefix = prefix
        source = qs.CfnDataSource(
            self,
            "Source",
            aws_account_id=self._account,
            data_source_id=f"{prefix}-athena",
            name="totesys lake",
            type="ATHENA",
            data_source_parameters=qs.CfnDataSource.DataSourceParametersProperty(
                athena_parameters=qs.CfnDataSource.AthenaParametersProperty(work_group=workgroup)
            ),
            permissions=[self._permission(qs.CfnDataSource.ResourcePermissionProperty, _SOURCE)],
        )
        data_sets = {star.name: self._data_set(star, source, database) for star in STARS}
        qs.CfnDashboard(
            self,
            "Dashboard",
            aws_account_id=self._account,
            dashboard_id=f"{prefix}-dashboard",
            name="totesys",
            permissions=[self._permission(qs.CfnDashboard.ResourcePermissionProperty, _DASHBOARD)],
            definition=qs.CfnDashboard.DashboardVersionDefinitionProperty(
                data_set_identifier_declarations=[
                    qs.CfnDashboard.DataSetIdentifierDeclarationProperty(
                        identifier=name, data_set_arn=data_set.attr_arn
                    )
                    for name, data_set in data_sets.items()
                ],
                sheets=[_sheet(star) for star in STARS],
            ),
        )

    def _permission(self, kind: type, actions: list[str]) -> Any:
        return kind(principal=self._principal, actions=[f"quicksight:{action}" for action in actions])

    def _data_set(self, star: Star, source: qs.CfnDataSource, database: str) -> qs.CfnDataSet:
        columns = [qs.CfnDataSet.InputColumnProperty(name=name, type=kind) for name, kind in star.columns()]
        return qs.CfnDataSet(
            self,
            star.name,
            aws_account_id=self._account,
            data_set_id=f"{self._prefix}-{star.name.lower()}",
            name=f"totesys {star.name.lower()}",
            import_mode="DIRECT_QUERY",
            permissions=[self._permission(qs.CfnDataSet.ResourcePermissionProperty, [*_READ, *_OWN])],
            physical_table_map={
                star.name.lower(): qs.CfnDataSet.PhysicalTableProperty(
                    custom_sql=qs.CfnDataSet.CustomSqlProperty(
                        data_source_arn=source.attr_arn, name=star.name, sql_query=star.sql(database), columns=columns
                    )
                )
            },
        )


def _sheet(star: Star) -> Any:
    d = qs.CfnDashboard
    first = star.first()

    def column(name: str) -> Any:
        return d.ColumnIdentifierProperty(data_set_identifier=star.name, column_name=name)

    def measure(name: str, field: str, function: str) -> Any:
        return d.MeasureFieldProperty(
            numerical_measure_field=d.NumericalMeasureFieldProperty(
                field_id=field,
                column=column(name),
                aggregation_function=d.NumericalAggregationFunctionProperty(simple_numerical_aggregation=function),
            )
        )

    def category(name: str, field: str) -> Any:
        return d.DimensionFieldProperty(
            categorical_dimension_field=d.CategoricalDimensionFieldProperty(field_id=field, column=column(name))
        )

    def title(text: str) -> Any:
        return d.VisualTitleLabelOptionsProperty(
            visibility="VISIBLE", format_text=d.ShortFormatTextProperty(plain_text=text)
        )

    key = star.name.lower()
    month = d.DimensionFieldProperty(
        date_dimension_field=d.DateDimensionFieldProperty(
            field_id=f"{key}-month", column=column("created_date"), date_granularity="MONTH"
        )
    )
    return d.SheetDefinitionProperty(
        sheet_id=key,
        name=star.name,
        visuals=[
            d.VisualProperty(
                kpi_visual=d.KPIVisualProperty(
                    visual_id=f"{key}-count",
                    title=title(f"{star.name}: number"),
                    chart_configuration=d.KPIConfigurationProperty(
                        field_wells=d.KPIFieldWellsProperty(
                            values=[measure(star.fact.key, f"{key}-count-value", "COUNT")]
                        )
                    ),
                )
            ),
            d.VisualProperty(
                line_chart_visual=d.LineChartVisualProperty(
                    visual_id=f"{key}-by-month",
                    title=title(f"{star.name}: amount by month and currency"),
                    chart_configuration=d.LineChartConfigurationProperty(
                        type="LINE",
                        field_wells=d.LineChartFieldWellsProperty(
                            line_chart_aggregated_field_wells=d.LineChartAggregatedFieldWellsProperty(
                                category=[month],
                                values=[measure("amount", f"{key}-month-amount", "SUM")],
                                colors=[category("currency_code", f"{key}-month-currency")],
                            )
                        ),
                    ),
                )
            ),
            d.VisualProperty(
                bar_chart_visual=d.BarChartVisualProperty(
                    visual_id=f"{key}-by-{first.replace('_', '-')}",
                    title=title(f"{star.name}: amount by {first.replace('_', ' ')}"),
                    chart_configuration=d.BarChartConfigurationProperty(
                        orientation="HORIZONTAL",
                        field_wells=d.BarChartFieldWellsProperty(
                            bar_chart_aggregated_field_wells=d.BarChartAggregatedFieldWellsProperty(
                                category=[category(first, f"{key}-bar-category")],
                                values=[measure("amount", f"{key}-bar-amount", "SUM")],
                                colors=[category("currency_code", f"{key}-bar-currency")],
                            )
                        ),
                    ),
                )
            ),
        ],
    )
