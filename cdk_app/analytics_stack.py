"""How analysts reach the lake: an Athena workgroup, named queries, and a Quick Sight dashboard."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_athena as athena
from constructs import Construct

from analytics.named_queries import NamedQuery, named_queries
from cdk_app.quicksight import QuickSightDashboard
from cdk_app.settings import Settings
from cdk_app.storage_stack import StorageStack

#: A query that scans more than this is cancelled: nobody pays for a forgotten WHERE.
SCAN_LIMIT_BYTES = 100 * 10**9


class AnalyticsStack(cdk.Stack):
    """The workgroup, its named queries and, when a principal is set, the dashboard.

    Attributes
    ----------
    workgroup
        Name of the Athena workgroup; its result location and limit cannot be overridden.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, storage: StorageStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, construct_id, description="totesys: Athena and Quick Sight", **kwargs)
        self.workgroup = settings.prefix
        workgroup = athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=self.workgroup,
            description="Queries on the totesys lake",
            recursive_delete_option=not settings.keep_data,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=SCAN_LIMIT_BYTES,
                engine_version=athena.CfnWorkGroup.EngineVersionProperty(
                    selected_engine_version="Athena engine version 3"
                ),
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{storage.results.bucket_name}/",
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_S3"
                    ),
                ),
            ),
        )
        for query in named_queries(settings.raw_database):
            self._named_query(query, settings.database).add_resource_dependency(workgroup)
        if settings.quicksight_principal:
            QuickSightDashboard(
                self,
                "Dashboard",
                prefix=settings.prefix,
                database=settings.database,
                workgroup=self.workgroup,
                principal=settings.quicksight_principal,
            )
        cdk.CfnOutput(self, "WorkgroupName", value=self.workgroup)

    def _named_query(self, query: NamedQuery, database: str) -> athena.CfnNamedQuery:
        return athena.CfnNamedQuery(
            self,
            "".join(word.capitalize() for word in query.name.split("_")),
            name=query.name,
            description=query.question,
            database=database,
            work_group=self.workgroup,
            query_string=query.statement,
        )
