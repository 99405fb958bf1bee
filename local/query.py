"""Queries on the lake through Athena, with awswrangler, as an analyst would write them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Number
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

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
                athena_query_wait_polling_delay=0.1,
                boto3_session=session(platform),
            )
        except wr.exceptions.QueryFailed as error:
            raise LocalError(f"Athena refused the query: {error}") from None


def print_frame(frame: "pd.DataFrame") -> None:
    """Print a result as a table: figures to the right, every name and value whole, however wide it gets."""
    import pandas as pd

    table = Table(title=f"{len(frame):,} row{'' if len(frame) == 1 else 's'}", title_justify="left")
    columns = [frame[name] if frame.columns.is_unique else frame.iloc[:, n] for n, name in enumerate(frame.columns)]
    for name, values in zip(frame.columns, columns, strict=True):
        known = values.dropna()
        is_figure = len(known) > 0 and all(isinstance(v, Number) and not isinstance(v, bool) for v in known)
        table.add_column(escape(str(name)), justify="right" if is_figure else "left", no_wrap=True)
    for row in zip(*columns, strict=True):
        table.add_row(*("" if pd.isna(value) else escape(str(value)) for value in row))
    console = Console()
    needed = Measurement.get(console, console.options.update(max_width=10**6), table).maximum
    Console(width=max(console.width, needed)).print(table, soft_wrap=True, highlight=False)


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
