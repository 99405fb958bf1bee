"""What a benchmark measures: the platform's work against a named baseline, by turns in the same run.

Seconds say something about a machine, ratios about the code. So a figure keeps the pairs it was measured in, and its noise is what
the pairs themselves show.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.table import Table

#: The least noise of a figure, as a part of it: two pairs may agree by chance.
LEAST_NOISE = 0.05


@dataclass(frozen=True, slots=True)
class Figure:
    """One piece of work, measured against its baseline.

    Attributes
    ----------
    stage
        ``extract``, ``transform``, ``load`` or ``end to end``.
    work
        What is done.
    baseline
        What it is compared with.
    rows
        Rows of the largest table.
    pairs
        Seconds of the work and of its baseline, one pair a round.
    peak
        The most memory that the work's processes held together, in MiB.
    """

    stage: str
    work: str
    baseline: str
    rows: int
    pairs: tuple[tuple[float, float], ...]
    peak: float

    @property
    def name(self) -> str:
        """What tells it from the other figures of a run."""
        return f"{self.stage}: {self.work} / {self.baseline}"

    @property
    def seconds(self) -> float:
        """Median of the work's seconds."""
        return median(ours for ours, _ in self.pairs)

    @property
    def baseline_seconds(self) -> float:
        """Median of the baseline's seconds."""
        return median(theirs for _, theirs in self.pairs)

    @property
    def ratios(self) -> list[float]:
        """The pairs' ratios."""
        return [ours / theirs for ours, theirs in self.pairs]

    @property
    def ratio(self) -> float:
        """Median of the pairs' ratios."""
        return median(self.ratios)

    @property
    def noise(self) -> float:
        """By how much the ratio may be off: half the range of the pairs, but not less than `LEAST_NOISE` of it."""
        return max((max(self.ratios) - min(self.ratios)) / 2, LEAST_NOISE * self.ratio)

    @property
    def cells(self) -> tuple[str, ...]:
        """What a table shows of it, in the order of `COLUMNS`."""
        return (
            self.stage,
            self.work,
            f"{self.rows:,}",
            f"{self.seconds:.2f} s",
            self.baseline,
            f"{self.baseline_seconds:.2f} s",
            f"{self.ratio:.2f}",
            f"{min(self.ratios):.2f}–{max(self.ratios):.2f}",
            f"{self.peak:.0f} MiB",
        )

    def is_worse_than(self, before: "Figure") -> bool:
        """Tell whether the ratio has grown by more than the noise of both.

        Examples
        --------
        >>> before = Figure("load", "first rows", "copy", 10, ((1.0, 1.0), (1.1, 1.0)), 100)
        >>> now = Figure("load", "first rows", "copy", 10, ((1.3, 1.0), (1.4, 1.0)), 100)
        >>> now.is_worse_than(before), before.is_worse_than(now)
        (True, False)
        """
        return self.ratio - before.ratio > self.noise + before.noise

    def to_json(self) -> dict[str, Any]:
        """Return the figure as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Figure":
        """Read what `to_json` has written."""
        return cls(**{**found, "pairs": tuple((ours, theirs) for ours, theirs in found["pairs"])})


#: What a table of figures shows, and what of it is text; see `Figure.cells`.
COLUMNS = ("stage", "work", "rows", "platform", "baseline", "of the baseline", "ratio", "range", "peak memory")
TEXTS = frozenset(("stage", "work", "baseline"))


def as_table(figures: Iterable[Figure]) -> Table:
    """Return figures as a table for a terminal."""
    table = Table(title="medians, and the range of the pairs' ratios", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in TEXTS else "right")
    for figure in figures:
        table.add_row(*figure.cells)
    return table
