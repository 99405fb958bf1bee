"""The named queries: one file each under ``queries/``, whose first line is the question that it answers.

A query takes what is current, and histories, from the one place where that is decided: ``{current_payment}`` stands for the
query of the current rows of the fact that comes from the source table ``payment``, ``{history_payment}`` for its versions, and
``{history_staff}`` for those of a dimension.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.tables.current import LakeSql
from contracts.tables.lake import HISTORIES
from contracts.tables.star import FACTS, STAR_TABLES

QUERIES = Path(__file__).parent / "queries"


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """One query.

    Attributes
    ----------
    name
        That of its file.
    question
        What it answers.
    statement
        SQL for Athena, to be run in the lake's database.
    """

    name: str
    question: str
    statement: str


def named_queries(raw_database: str) -> Iterator[NamedQuery]:
    """Yield every named query, in the order of their names."""
    parts = _parts(LakeSql(raw_database=raw_database))
    for file in sorted(QUERIES.glob("*.sql")):
        text = file.read_text("utf-8")
        question = text.partition("\n")[0].removeprefix("-- ")
        yield NamedQuery(file.stem, question, text.format_map(parts))


def _parts(lake: LakeSql) -> dict[str, str]:
    current = {f"current_{fact.source}": lake.current(fact) for fact in FACTS}
    histories = {f"history_{fact.source}": lake.history(fact) for fact in FACTS}
    histories |= {f"history_{name.removeprefix('dim_')}": lake.history(STAR_TABLES[name]) for name in HISTORIES}
    return {name: f"({query})" for name, query in (current | histories).items()}
