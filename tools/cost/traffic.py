"""How much there is to do."""

from dataclasses import dataclass, replace

from tools.cost.measured import TOTESYS_BATCHES, TOTESYS_ROWS


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a source changes, and who looks at the result.

    Attributes
    ----------
    name
        What the page calls it.
    batches
        Extractions a day that find something changed. The daily key lists come on top.
    rows
        Rows a day that change.
    stored_days
        For how many days of such rows there is data.
    authors, readers
        Of the Quick Sight dashboard.
    queries
        Queries a month that Athena answers.
    """

    name: str
    batches: float = 0
    rows: float = 0
    stored_days: int = 365
    authors: int = 0
    readers: int = 0
    queries: int = 0


IDLE = Traffic("idle")
TOTESYS = Traffic("totesys", TOTESYS_BATCHES, TOTESYS_ROWS)


def times(factor: int, extract_minutes: int) -> Traffic:
    """Return totesys with so many times the rows, at all hours: then every extraction finds something."""
    return replace(TOTESYS, name=f"{factor:,} ×", batches=24 * 60 / extract_minutes, rows=TOTESYS_ROWS * factor)
