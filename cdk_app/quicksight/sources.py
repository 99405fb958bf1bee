"""Where the dashboard's figures come from: the lake, asked through Athena, or the warehouse."""

from dataclasses import dataclass
from typing import Any, Protocol

from aws_cdk.aws_quicksight import CfnDataSet, CfnDataSource

from analytics.dashboard.description import SYNC
from analytics.dashboard.parts import DataSet
from analytics.sync_history import ledger_query


class Source(Protocol):
    """A data source, and what of it a data set asks."""

    def data_source(self) -> dict[str, Any]:
        """Return arguments of ``CfnDataSource``: type, parameters and how it is reached."""

    def physical_table(self, data: DataSet, data_source_arn: str) -> Any:
        """Return the view, or the query, that a data set shows."""


@dataclass(frozen=True, slots=True)
class Lake:
    """The lake: the views of the Glue catalog.

    Attributes
    ----------
    workgroup
        Of Athena.
    database, raw_database
        Of the lake, and of the log, which has the history of synchronisation.
    """

    workgroup: str
    database: str
    raw_database: str

    def data_source(self) -> dict[str, Any]:
        """Return arguments of ``CfnDataSource``."""
        parameters = CfnDataSource.AthenaParametersProperty(work_group=self.workgroup)
        return {
            "name": "totesys lake",
            "type": "ATHENA",
            "data_source_parameters": CfnDataSource.DataSourceParametersProperty(athena_parameters=parameters),
        }

    def physical_table(self, data: DataSet, data_source_arn: str) -> Any:
        """Return the view that a data set shows; of the history of synchronisation, the query over the documents' view."""
        if data == SYNC:
            columns = ", ".join(column.name for column in SYNC.columns)
            return _query(data, data_source_arn, f"select {columns} from {self.raw_database}.publication_table")
        return _view(data, data_source_arn, catalog="AwsDataCatalog", schema=self.database)


@dataclass(frozen=True, slots=True)
class Warehouse:
    """The warehouse: its views, and its ledger.

    Attributes
    ----------
    secret_arn
        ARN of the secret with ``username`` and ``password``.
    host, port, database
        Of the server.
    schema, ledger
        Of the views, and of the ledger.
    vpc_connection
        ARN of the VPC connection through which Quick Sight reaches it; None when it is reached from outside.
    """

    secret_arn: str
    host: str
    port: int
    database: str
    schema: str
    ledger: str
    vpc_connection: str | None = None

    def data_source(self) -> dict[str, Any]:
        """Return arguments of ``CfnDataSource``."""
        parameters = CfnDataSource.PostgreSqlParametersProperty(host=self.host, port=self.port, database=self.database)
        found: dict[str, Any] = {
            "name": "totesys warehouse",
            "type": "POSTGRESQL",
            "data_source_parameters": CfnDataSource.DataSourceParametersProperty(postgre_sql_parameters=parameters),
            "credentials": CfnDataSource.DataSourceCredentialsProperty(secret_arn=self.secret_arn),
            "ssl_properties": CfnDataSource.SslPropertiesProperty(disable_ssl=False),
        }
        if self.vpc_connection:
            found["vpc_connection_properties"] = CfnDataSource.VpcConnectionPropertiesProperty(
                vpc_connection_arn=self.vpc_connection
            )
        return found

    def physical_table(self, data: DataSet, data_source_arn: str) -> Any:
        """Return the view that a data set shows; of the history of synchronisation, the query over the ledger."""
        if data == SYNC:
            return _query(data, data_source_arn, ledger_query(self.ledger))
        return _view(data, data_source_arn, schema=self.schema)


def _columns(data: DataSet) -> list[Any]:
    return [CfnDataSet.InputColumnProperty(id=c.name, name=c.name, type=c.type.quicksight) for c in data.columns]


def _view(data: DataSet, data_source_arn: str, **place: str) -> Any:
    table = CfnDataSet.RelationalTableProperty(
        data_source_arn=data_source_arn, name=data.name, input_columns=_columns(data), **place
    )
    return CfnDataSet.PhysicalTableProperty(relational_table=table)


def _query(data: DataSet, data_source_arn: str, statement: str) -> Any:
    query = CfnDataSet.CustomSqlProperty(
        data_source_arn=data_source_arn, name=data.name, sql_query=statement, columns=_columns(data)
    )
    return CfnDataSet.PhysicalTableProperty(custom_sql=query)
