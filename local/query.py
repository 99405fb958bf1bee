"""Queries on the lake through Athena, with awswrangler, as an analyst would write them."""

import os
from typing import TYPE_CHECKING

from local.aws import credentials, session
from local.errors import LocalError

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
    os.environ.update({**credentials(), "AWS_ENDPOINT_URL": platform["endpoint"]})
    boto3_session = session(platform)
    import awswrangler as wr

    try:
        return wr.athena.read_sql_query(
            statement,
            database=database or platform["database"],
            workgroup=platform["workgroup"],
            ctas_approach=False,
            boto3_session=boto3_session,
        )
    except wr.exceptions.QueryFailed as error:
        raise LocalError(f"Athena refused the query: {error}") from None
