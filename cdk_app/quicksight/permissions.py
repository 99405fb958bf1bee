"""Who may do what: the sets of actions that Quick Sight knows. It refuses any other set, and shows no name for it."""

from collections.abc import Mapping
from typing import Any

#: Kind of resource → what its owner may do.
OWNER: Mapping[str, tuple[str, ...]] = {
    "DataSource": (
        "DescribeDataSource",
        "DescribeDataSourcePermissions",
        "PassDataSource",
        "UpdateDataSource",
        "DeleteDataSource",
        "UpdateDataSourcePermissions",
    ),
    "DataSet": (
        "DescribeDataSet",
        "DescribeDataSetPermissions",
        "PassDataSet",
        "DescribeIngestion",
        "ListIngestions",
        "UpdateDataSet",
        "DeleteDataSet",
        "CreateIngestion",
        "CancelIngestion",
        "UpdateDataSetPermissions",
    ),
    "Theme": (
        "DescribeTheme",
        "DescribeThemeAlias",
        "ListThemeAliases",
        "ListThemeVersions",
        "DeleteTheme",
        "UpdateTheme",
        "CreateThemeAlias",
        "DeleteThemeAlias",
        "UpdateThemeAlias",
        "UpdateThemePermissions",
        "DescribeThemePermissions",
    ),
    "Analysis": (
        "DescribeAnalysis",
        "QueryAnalysis",
        "UpdateAnalysis",
        "DeleteAnalysis",
        "RestoreAnalysis",
        "DescribeAnalysisPermissions",
        "UpdateAnalysisPermissions",
    ),
    "Dashboard": (
        "DescribeDashboard",
        "ListDashboardVersions",
        "QueryDashboard",
        "UpdateDashboard",
        "DeleteDashboard",
        "DescribeDashboardPermissions",
        "UpdateDashboardPermissions",
        "UpdateDashboardPublishedVersion",
    ),
}
#: Kind of resource → what a reader of the dashboard may do. A theme is shown only to those who may describe it.
READER: Mapping[str, tuple[str, ...]] = {
    "Theme": ("DescribeTheme", "DescribeThemeAlias", "ListThemeAliases", "ListThemeVersions"),
    "Dashboard": ("DescribeDashboard", "ListDashboardVersions", "QueryDashboard"),
}


def permissions(kind: str, owner: str, readers: str | None) -> list[dict[str, Any]]:
    """Return who may do what with a resource, as arguments of its ``ResourcePermissionProperty``.

    Parameters
    ----------
    kind
        ``DataSource``, ``DataSet``, ``Theme``, ``Analysis`` or ``Dashboard``.
    owner, readers
        ARNs of those who own it, and of those who may look at the dashboard; None for nobody.
    """
    granted = [(owner, OWNER[kind])]
    if readers and kind in READER:
        granted.append((readers, READER[kind]))
    return [
        {"principal": principal, "actions": [f"quicksight:{action}" for action in actions]}
        for principal, actions in granted
    ]
