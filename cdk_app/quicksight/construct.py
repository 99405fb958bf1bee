"""The resources: data source, data sets with their refreshes, theme, analysis and dashboard."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_quicksight as qs
from constructs import Construct

from analytics.dashboard.parts import DataSet
from cdk_app.quicksight import theme
from cdk_app.quicksight.data_sets import DATA_SETS, preparation, schedule, semantics, table_id
from cdk_app.quicksight.definition import definition, version
from cdk_app.quicksight.permissions import permissions
from cdk_app.quicksight.sources import Source
from cdk_app.settings import Settings


class QuickSightDashboard(Construct):
    """The dashboard of the description: a data set for each of its own, an analysis for authors, a dashboard for readers.

    Data sets are refreshed on a schedule exactly when they are in SPICE. The definition is checked by the service before it
    is taken, so that a dashboard that is shown has no broken visual.

    Parameters
    ----------
    settings
        Of the deployment.
    owner
        ARN of the user or group that owns everything.
    source
        Where the figures come from.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, owner: str, source: Source) -> None:
        super().__init__(scope, construct_id)
        self._account = cdk.Stack.of(self).account
        self._settings = settings
        self._owner = owner
        self._source = source
        data_source = qs.CfnDataSource(
            self,
            "Source",
            aws_account_id=self._account,
            data_source_id=f"{settings.prefix}-{settings.quicksight_source}",
            permissions=self._permissions("DataSource", qs.CfnDataSource),
            **source.data_source(),
        )
        arns = {name: self._data_set(data, data_source.attr_arn).attr_arn for name, data in DATA_SETS.items()}
        colours = qs.CfnTheme(
            self,
            "Theme",
            aws_account_id=self._account,
            theme_id=f"{settings.prefix}-theme",
            name="totesys",
            base_theme_id="CLASSIC",
            configuration=theme.configuration(),
            permissions=self._permissions("Theme", qs.CfnTheme),
        )
        shown = definition(arns)
        self._analysis(colours.attr_arn).add_property_override("Definition", shown)
        self._dashboard(colours.attr_arn).add_property_override("Definition", shown)

    def _permissions(self, kind: str, resource: Any) -> list[Any]:
        granted = permissions(kind, self._owner, self._settings.quicksight_readers)
        return [resource.ResourcePermissionProperty(**grant) for grant in granted]

    def _data_set(self, data: DataSet, data_source_arn: str) -> qs.CfnDataSet:
        settings = self._settings
        words = "".join(word.capitalize() for word in data.name.split("_"))
        is_spice = settings.quicksight_mode == "spice"
        data_set_id = f"{settings.prefix}-{table_id(data)}"
        data_set = qs.CfnDataSet(
            self,
            words,
            aws_account_id=self._account,
            data_set_id=data_set_id,
            name=f"totesys {data.name}",
            import_mode="SPICE" if is_spice else "DIRECT_QUERY",
            permissions=self._permissions("DataSet", qs.CfnDataSet),
            physical_table_map={table_id(data): self._source.physical_table(data, data_source_arn)},
            data_prep_configuration=preparation(data),
            semantic_model_configuration=semantics(data, settings.quicksight_row_level_data_set),
        )
        if is_spice:
            refresh = qs.CfnRefreshSchedule(
                self,
                f"{words}Refresh",
                aws_account_id=self._account,
                data_set_id=data_set_id,
                schedule=schedule(settings.quicksight_refresh_minutes),
            )
            refresh.add_resource_dependency(data_set)
        return data_set

    def _analysis(self, theme_arn: str) -> qs.CfnAnalysis:
        return qs.CfnAnalysis(
            self,
            "Analysis",
            aws_account_id=self._account,
            analysis_id=f"{self._settings.prefix}-analysis",
            name="totesys",
            theme_arn=theme_arn,
            permissions=self._permissions("Analysis", qs.CfnAnalysis),
            validation_strategy=qs.CfnAnalysis.ValidationStrategyProperty(mode="STRICT"),
        )

    def _dashboard(self, theme_arn: str) -> qs.CfnDashboard:
        """Return the dashboard. A reader chooses by the controls only: a filter of one's own could take the currency's place."""
        kind = qs.CfnDashboard
        return kind(
            self,
            "Dashboard",
            aws_account_id=self._account,
            dashboard_id=f"{self._settings.prefix}-dashboard",
            name="totesys",
            theme_arn=theme_arn,
            permissions=self._permissions("Dashboard", kind),
            version_description=version(),
            validation_strategy=kind.ValidationStrategyProperty(mode="STRICT"),
            dashboard_publish_options=kind.DashboardPublishOptionsProperty(
                ad_hoc_filtering_option=kind.AdHocFilteringOptionProperty(availability_status="DISABLED"),
                export_to_csv_option=kind.ExportToCSVOptionProperty(availability_status="ENABLED"),
                sheet_controls_option=kind.SheetControlsOptionProperty(visibility_state="EXPANDED"),
            ),
        )
