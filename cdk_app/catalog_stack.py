"""The Glue Data Catalog: the lake's database, and the immutable CSV log as tables."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from constructs import Construct

from cdk_app.settings import Settings
from cdk_app.storage_stack import StorageStack
from contracts.protocol.catalog import location
from contracts.protocol.object_layout import MANIFEST_PREFIX
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.table import SourceTable

#: Partitions are projected from this day on; nothing was extracted before.
FIRST_DAY = "2022-11-03"
#: What the table of batches shows of a manifest: name, type and meaning.
_BATCH_COLUMNS = (
    ("batch", "int", "Number of the manifest."),
    ("first", "int", "Number of the manifest that the batch begins with."),
    ("reason", "string", "Why everything was read, or empty."),
    ("horizon", "bigint", "Transaction id below which every transaction had ended."),
    ("snapshot_time", "string", "When the snapshot was taken, by the source's clock, ISO 8601 in UTC."),
    ("extracted_at", "string", "The same by the extraction's clock."),
    ("time_zone", "string", "Zone in which the source writes timestamps without one."),
    ("lake", "string", "Name of the lake."),
)


class CatalogStack(cdk.Stack):
    """The databases ``totesys`` and ``totesys_raw``.

    The job creates and evolves the lake's Iceberg tables, because an update by CloudFormation breaks
    them; the raw tables are plain external tables, and CloudFormation owns them. Their columns are
    text, as the CSV has them, and their partitions are projected from ``extracted_date``.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, storage: StorageStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, construct_id, description="totesys: Glue Data Catalog", **kwargs)
        self._bucket = storage.ingestion.bucket_name
        glue.CfnDatabase(
            self,
            "Lake",
            catalog_id=self.account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=settings.database,
                description="Star schemas of totesys, Iceberg tables",
                location_uri=location(storage.processed.bucket_name),
            ),
        )
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
        self._batches(settings.raw_database).add_resource_dependency(raw)
        cdk.CfnOutput(self, "Database", value=settings.database)
        cdk.CfnOutput(self, "RawDatabase", value=settings.raw_database)

    def _batches(self, database: str) -> glue.CfnTable:
        """Show what the manifests say: histories take from it when a batch's snapshot was taken."""
        column = glue.CfnTable.ColumnProperty
        return glue.CfnTable(
            self,
            "RawBatch",
            catalog_id=self.account,
            database_name=database,
            table_input=glue.CfnTable.TableInputProperty(
                name="batch",
                description="One row a manifest.",
                table_type="EXTERNAL_TABLE",
                parameters={"classification": "json"},
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    location=f"s3://{self._bucket}/{MANIFEST_PREFIX}",
                    input_format="org.apache.hadoop.mapred.TextInputFormat",
                    output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library="org.openx.data.jsonserde.JsonSerDe"
                    ),
                    columns=[column(name=name, type=kind, comment=text) for name, kind, text in _BATCH_COLUMNS],
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
