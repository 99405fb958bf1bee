"""What a view is: its name, what it says, its columns, and its query in the words of either system."""

from collections.abc import Callable
from dataclasses import dataclass

from contracts.tables.current import TableSql
from contracts.tables.table import Column


@dataclass(frozen=True, slots=True)
class View:
    """One view.

    Attributes
    ----------
    name, description
        As they appear in both systems.
    columns
        What the query returns, in order.
    query
        Its SQL, in the words of one system.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    query: Callable[[TableSql], str]
