"""The Glue Data Catalog: the lake's database and its views, the immutable CSV log and the documents as tables."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from constructs import Construct

from analytics.sync_history import DOCUMENTS, DocumentTable
from analytics.views import CatalogView, catalog_views
from cdk_app.removal import removal
from cdk_app.settings import Settings
from cdk_app.storage_stack import StorageStack
from contracts.protocol.catalog import location
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.table import SourceTable

#: Partitions are projected from this day on; nothing was extracted before.
FIRST_DAY = "2022-11-03"


class CatalogStack(cdk.Stack):
    """The databases ``totesys`` and ``totesys_raw``.

    The job creates and evolves the lake's Iceberg tables, because an update by CloudFormation breaks
    them; views, the raw tables and the documents' tables are CloudFormation's. Columns of raw tables are
    text, as the CSV has them, and their partitions are projected from ``extracted_date``.

    Where data is kept, the lake's database survives the deletion of the stack. The raw one does not: all in it is made again.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, storage: StorageStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, construct_id, description="totesys: Glue Data Catalog", **kwargs)
        self._bucket = storage.ingestion.bucket_name
        lake = None if settings.adopt else self._lake(settings, location(storage.processed.bucket_name))
        raw = glue.CfnDatabase(
            self,
            "Raw",
            catalog_id=self.account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=settings.raw_database,
                description="Everything that was ever extracted from totesys, as CSV",
                location_uri=f"s3://{self._bucket}/",
            ),
        )
        for table in SOURCE_TABLES.values():
            self._raw_table(table, settings.raw_database).add_resource_dependency(raw)
        places = {"ingestion": self._bucket, "processed": storage.processed.bucket_name}
        for documents in DOCUMENTS:
            shown = self._documents(documents, settings.raw_database, places[documents.bucket])
            shown.add_resource_dependency(raw)
        for view in catalog_views(settings.database, settings.raw_database):
            made = self._view(view)
            for owner in filter(None, (lake, raw)):
                made.add_resource_dependency(owner)
        cdk.CfnOutput(self, "Database", value=settings.database)
        cdk.CfnOutput(self, "RawDatabase", value=settings.raw_database)

    def _lake(self, settings: Settings, place: str) -> glue.CfnDatabase:
        """Make the lake's database, which holds the pointers to its tables: without them their files are no tables."""
        lake = glue.CfnDatabase(
            self,
            "Lake",
            catalog_id=self.account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=settings.database, description="Star schemas of totesys, Iceberg tables", location_uri=place
            ),
        )
        lake.apply_removal_policy(removal(settings))
        return lake

    def _documents(self, documents: DocumentTable, database: str, bucket: str) -> glue.CfnTable:
        """Show documents of one kind: histories take from the manifests when a batch's snapshot was taken."""
        column = glue.CfnTable.ColumnProperty
        return glue.CfnTable(
            self,
            f"Raw{''.join(word.capitalize() for word in documents.name.split('_'))}",
            catalog_id=self.account,
            database_name=database,
            table_input=glue.CfnTable.TableInputProperty(
                name=documents.name,
                description=documents.description,
                table_type="EXTERNAL_TABLE",
                parameters={"classification": "json"},
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    location=f"s3://{bucket}/{documents.prefix}",
                    input_format="org.apache.hadoop.mapred.TextInputFormat",
                    output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library="org.openx.data.jsonserde.JsonSerDe"
                    ),
                    columns=[column(name=name, type=kind, comment=text) for name, kind, text in documents.columns],
                ),
            ),
        )

    def _view(self, view: CatalogView) -> glue.CfnTable:
        """Make a view as Athena itself would with CREATE VIEW."""
        column = glue.CfnTable.ColumnProperty
        return glue.CfnTable(
            self,
            f"View{''.join(word.capitalize() for word in view.name.split('_'))}",
            catalog_id=self.account,
            database_name=view.database,
            table_input=glue.CfnTable.TableInputProperty(
                name=view.name,
                description=view.description,
                table_type="VIRTUAL_VIEW",
                parameters={"presto_view": "true", "comment": view.description},
                view_original_text=view.original_text,
                view_expanded_text="/* Presto View */",
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    columns=[column(name=c.name, type=c.type.athena, comment=c.description) for c in view.columns],
                    serde_info=glue.CfnTable.SerdeInfoProperty(),
                ),
            ),
        )

    def _raw_table(self, table: SourceTable, database: str) -> glue.CfnTable:
        location = f"s3://{self._bucket}/{table.name}/"
        text = glue.CfnTable.ColumnProperty
        return glue.CfnTable(
            self,
            f"Raw{''.join(word.capitalize() for word in table.name.split('_'))}",
            catalog_id=self.account,
            database_name=database,
            table_input=glue.CfnTable.TableInputProperty(
                name=table.name,
                description=table.description,
                table_type="EXTERNAL_TABLE",
                partition_keys=[text(name="extracted_date", type="string", comment="Day of the extraction, UTC.")],
                parameters={
                    "classification": "csv",
                    "skip.header.line.count": "1",
                    "projection.enabled": "true",
                    "projection.extracted_date.type": "date",
                    "projection.extracted_date.format": "yyyy-MM-dd",
                    "projection.extracted_date.range": f"{FIRST_DAY},NOW",
                    "storage.location.template": f"{location}extracted_date=${{extracted_date}}/",
                },
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    location=location,
                    input_format="org.apache.hadoop.mapred.TextInputFormat",
                    output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library="org.apache.hadoop.hive.serde2.OpenCSVSerde",
                        parameters={"separatorChar": ",", "quoteChar": '"', "escapeChar": '"'},
                    ),
                    columns=[
                        text(name=c.name, type="string", comment=f"{c.description} ({c.type.name})")
                        for c in table.columns
                    ],
                ),
            ),
        )
