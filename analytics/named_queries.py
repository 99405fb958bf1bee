"""The named queries: one file each under ``queries/<group>/``, whose first line is the question that it answers.

They ask the views of the catalog. One with question marks has a second line with an example of its parameters; Athena keeps it
as a prepared statement as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

QUERIES = Path(__file__).parent / "queries"
#: The group whose queries are about the platform itself: they run in the raw database, the others in the lake's.
OPERATIONS = "operations"
_EXAMPLE = "-- Example: "


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """One query.

    Attributes
    ----------
    group, name
        Directory and name of its file.
    question
        What it answers.
    database
        In which it is to be run.
    statement
        SQL for Athena.
    example
        Values of its parameters as Athena's SQL, separated by commas, or "" when it has none.
    """

    group: str
    name: str
    question: str
    database: str
    statement: str
    example: str


def named_queries(database: str, raw_database: str) -> Iterator[NamedQuery]:
    """Yield every named query, in the order of groups and names."""
    for file in sorted(QUERIES.glob("*/*.sql")):
        text = file.read_text("utf-8")
        question, _, rest = text.partition("\n")
        second, _, statement = rest.partition("\n")
        is_example = second.startswith(_EXAMPLE)
        yield NamedQuery(
            file.parent.name,
            file.stem,
            question.removeprefix("-- "),
            raw_database if file.parent.name == OPERATIONS else database,
            statement if is_example else rest,
            second.removeprefix(_EXAMPLE) if is_example else "",
        )
