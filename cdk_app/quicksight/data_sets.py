"""What of a data set does not depend on its source: the meaning of its columns, who sees which rows, when it is refreshed."""

from typing import Any

from aws_cdk.aws_quicksight import CfnDataSet, CfnRefreshSchedule

from analytics.dashboard.description import PAGES, SYNC
from analytics.dashboard.parts import DataSet

#: Every data set of the dashboard by name, in the order in which pages ask them.
DATA_SETS: dict[str, DataSet] = {
    data.name: data for data in (*(shown.data for page in PAGES for shown in page.shown), SYNC)
}
#: When data sets are refreshed that are refreshed once a day, UTC.
_DAILY = "05:00"


def table_id(data: DataSet) -> str:
    """Return the id of a data set's table, in which an underscore is not allowed."""
    return data.name.replace("_", "-")


def preparation(data: DataSet) -> Any:
    """Return how a data set comes from its table: as the table is. The ids of columns are their names."""
    name = table_id(data)
    step = CfnDataSet.ImportTableOperationProperty(
        alias=data.name, source=CfnDataSet.ImportTableOperationSourceProperty(source_table_id=name)
    )
    shown = CfnDataSet.DestinationTableProperty(
        alias=data.name, source=CfnDataSet.DestinationTableSourceProperty(transform_operation_id=f"{name}-import")
    )
    return CfnDataSet.DataPrepConfigurationProperty(
        source_table_map={name: CfnDataSet.SourceTableProperty(physical_table_id=name)},
        transform_step_map={f"{name}-import": CfnDataSet.TransformStepProperty(import_table_step=step)},
        destination_table_map={f"{name}-shown": shown},
    )


def semantics(data: DataSet, rules_arn: str | None) -> Any:
    """Return what the columns of a data set mean, and by which rules its rows are shown.

    Parameters
    ----------
    rules_arn
        ARN of the data set with the rules; None for all rows to everybody.
    """
    meanings = [
        CfnDataSet.SharedColumnSemanticMetadataProperty(
            column_names=[column.name],
            column_properties=[
                CfnDataSet.ColumnSemanticPropertyProperty(
                    description=CfnDataSet.ColumnDescriptionProperty(text=column.description)
                )
            ],
        )
        for column in data.columns
    ]
    table = CfnDataSet.SemanticTableProperty(
        alias=data.name,
        destination_table_id=f"{table_id(data)}-shown",
        semantic_metadata=CfnDataSet.TableSemanticMetadataProperty(column_metadata=meanings),
        row_level_permission_configuration=_row_level(data, rules_arn),
    )
    return CfnDataSet.SemanticModelConfigurationProperty(table_map={table_id(data): table})


def _row_level(data: DataSet, rules_arn: str | None) -> Any:
    """Return the rules; the history of synchronisation has none of the columns that they are about, and would be refused."""
    if not rules_arn or data == SYNC:
        return None
    rules = CfnDataSet.RowLevelPermissionDataSetProperty(
        arn=rules_arn, permission_policy="GRANT_ACCESS", format_version="VERSION_1", status="ENABLED"
    )
    return CfnDataSet.RowLevelPermissionConfigurationProperty(row_level_permission_data_set=rules)


def schedule(minutes: int) -> Any:
    """Return when a data set in SPICE is read anew, as a whole.

    Quick Sight reads every 15 or 30 minutes only what lies in a window of days. An order of before the window that is changed or
    deleted would stay as it was, so these are not offered.

    Parameters
    ----------
    minutes
        60 or 1440.
    """
    hourly = minutes == 60
    return CfnRefreshSchedule.RefreshScheduleMapProperty(
        schedule_id="hourly" if hourly else "daily",
        refresh_type="FULL_REFRESH",
        schedule_frequency=CfnRefreshSchedule.ScheduleFrequencyProperty(
            interval="HOURLY" if hourly else "DAILY",
            time_of_the_day=None if hourly else _DAILY,
            time_zone="UTC",
        ),
    )
