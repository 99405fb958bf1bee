"""The Quick Sight dashboard: one data set and one sheet for each star."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_quicksight as qs
from constructs import Construct

from cdk_app.dashboard_data import STARS, Star
from cdk_app.dashboard_sheet import sheet

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
                sheets=[sheet(star) for star in STARS],
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
