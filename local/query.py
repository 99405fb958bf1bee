"""Queries on the lake through Athena, with awswrangler, as an analyst would write them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from local.errors import LocalError
from local.servers.emulator_process import credentials, session

if TYPE_CHECKING:
    import pandas as pd


def query(platform: dict[str, str], statement: str, database: str | None = None) -> "pd.DataFrame":
    """Run one statement in the platform's workgroup.

    Parameters
    ----------
    database
        Another database than the lake's, for example the raw one.

    Raises
    ------
    LocalError
        With Athena's own message.
    """
    with _environment({**credentials(), "AWS_ENDPOINT_URL": platform["endpoint"]}):
        import awswrangler as wr

        try:
            return wr.athena.read_sql_query(
                statement,
                database=database or platform["database"],
                workgroup=platform["workgroup"],
                ctas_approach=False,
                boto3_session=session(platform),
            )
        except wr.exceptions.QueryFailed as error:
            raise LocalError(f"Athena refused the query: {error}") from None


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables for as long as awswrangler, which makes clients of its own, is at work; others may follow theirs."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
