"""The views of the Glue catalog, each with the query that Athena is given."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass

from analytics.sync_history import sync_views
from contracts.tables.current import LakeSql
from contracts.tables.table import Column
from contracts.tables.views import VIEWS


@dataclass(frozen=True, slots=True)
class CatalogView:
    """One view.

    Attributes
    ----------
    database, name, description, columns
        As the catalog has them.
    sql
        Its query, in Athena's SQL; every table named with its database.
    """

    database: str
    name: str
    description: str
    columns: tuple[Column, ...]
    sql: str

    @property
    def original_text(self) -> str:
        """What the catalog keeps of a view for Athena: its query and the types of its columns, packed as Presto does.

        Athena calls a view stale whose types are not those that the query gives.
        """
        definition = {
            "originalSql": self.sql,
            "catalog": "awsdatacatalog",
            "schema": self.database,
            "columns": [{"name": column.name, "type": column.type.presto} for column in self.columns],
        }
        return f"/* Presto View: {base64.b64encode(json.dumps(definition).encode()).decode()} */"


def catalog_views(database: str, raw_database: str) -> Iterator[CatalogView]:
    """Yield every view: those of the lake's database, then those of the raw one."""
    lake = LakeSql(database, raw_database)
    for view in VIEWS.values():
        yield CatalogView(database, view.name, view.description, view.columns, view.query(lake))
    for sync in sync_views(lake):
        yield CatalogView(raw_database, sync.name, sync.description, sync.columns, sync.sql)
