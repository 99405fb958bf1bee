"""How analysts reach the lake: an Athena workgroup, named queries, and a Quick Sight dashboard."""

from collections.abc import Iterator
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_athena as athena
from aws_cdk import aws_secretsmanager as secrets
from constructs import Construct

from analytics.named_queries import NamedQuery, named_queries
from cdk_app.quicksight.construct import QuickSightDashboard
from cdk_app.quicksight.sources import Lake, Source, Warehouse
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
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        storage: StorageStack,
        warehouse_secret: secrets.ISecret,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, description="totesys: Athena and Quick Sight", **kwargs)
        self.workgroup = settings.prefix
        workgroup = athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=self.workgroup,
            description="Queries on the totesys lake",
            recursive_delete_option=True,  # it is no data, and a workgroup in which a query ran could not be deleted else
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
                        encryption_option="SSE_KMS" if storage.data_key else "SSE_S3",
                        kms_key=storage.data_key.key_arn if storage.data_key else None,
                    ),
                ),
            ),
        )
        for query in named_queries(settings.database, settings.raw_database):
            for saved in self._saved(query):
                saved.add_resource_dependency(workgroup)
        if settings.quicksight_principal:
            QuickSightDashboard(
                self,
                "Dashboard",
                settings=settings,
                owner=settings.quicksight_principal,
                source=self._source(settings, warehouse_secret),
            ).node.add_dependency(workgroup)
        cdk.CfnOutput(self, "WorkgroupName", value=self.workgroup)

    def _source(self, settings: Settings, warehouse_secret: secrets.ISecret) -> Source:
        """Return where the dashboard's figures come from."""
        if settings.quicksight_source == "lake":
            return Lake(self.workgroup, settings.database, settings.raw_database)
        return Warehouse(
            secret_arn=warehouse_secret.secret_arn,
            host=settings.quicksight_warehouse_host or "",
            port=settings.quicksight_warehouse_port,
            database=settings.quicksight_warehouse_database or "",
            schema=settings.warehouse_schema,
            ledger=settings.ledger,
            vpc_connection=settings.quicksight_vpc_connection,
        )

    def _saved(self, query: NamedQuery) -> Iterator[cdk.CfnResource]:
        """Save a query under its name; one with parameters also as a prepared statement."""
        name = "".join(word.capitalize() for word in query.name.split("_"))
        example = f" EXECUTE {query.name} USING {query.example}" if query.example else ""
        yield athena.CfnNamedQuery(
            self,
            name,
            name=f"{query.group}/{query.name}",
            description=f"{query.question}{example}",
            database=query.database,
            work_group=self.workgroup,
            query_string=f"-- {query.question}\n{query.statement}",
        )
        if query.example:
            yield athena.CfnPreparedStatement(
                self,
                f"Prepared{name}",
                statement_name=query.name,
                description=f"{query.question}{example}",
                work_group=self.workgroup,
                query_statement=query.statement,
            )
