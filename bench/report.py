"""The report of a run of all benchmarks: figures as JSON, a page, and plots, light and dark."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import altair as alt
import psutil
import vl_convert

from analytics.dashboard.description import MAIN_COLOUR
from bench.figures import COLUMNS, TEXTS, Figure
from local.dashboard.charts import DARK, LIGHT, Theme
from local.home import ROOT

#: The last reviewed run, and the page that shows it.
REVIEWED, PAGE = ROOT / "docs" / "performance.json", ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
FIGURES_FILE, PAGE_FILE = "figures.json", "report.md"
_TICKS = [step * 10**power for power in range(-3, 4) for step in (1, 2, 5)]
_THEMES = {"light": LIGHT, "dark": DARK}


@dataclass(frozen=True, slots=True)
class Report:
    """What a run has measured, and on what.

    Attributes
    ----------
    measured_at
        Day of the run, UTC.
    machine
        Cores, memory and processor.
    figures
        What was measured.
    """

    measured_at: str
    machine: str
    figures: tuple[Figure, ...]

    @classmethod
    def of(cls, figures: Iterable[Figure]) -> "Report":
        """Return the report of what was measured just now, on this machine."""
        memory = psutil.virtual_memory().total / 2**30
        machine = f"{os.cpu_count()} cores, {memory:.0f} GiB, {_processor()}, Python {platform.python_version()}"
        return cls(datetime.now(UTC).date().isoformat(), machine, tuple(figures))

    @classmethod
    def read(cls, file: Path) -> "Report":
        """Read what `to_json` has written."""
        found = json.loads(file.read_text("utf-8"))
        return cls(found["measured_at"], found["machine"], tuple(map(Figure.from_json, found["figures"])))

    def to_json(self) -> str:
        """Return the report as JSON."""
        figures = [figure.to_json() for figure in self.figures]
        return (
            json.dumps({"measured_at": self.measured_at, "machine": self.machine, "figures": figures}, indent=2) + "\n"
        )

    def worse_than(self, before: "Report") -> list[str]:
        """Say which figures are worse than in another report, by more than the noise of both."""
        earlier = {(f.name, f.rows): f for f in before.figures}
        found = [(f, earlier[f.name, f.rows]) for f in self.figures if (f.name, f.rows) in earlier]
        return [
            f"{now.name}, {now.rows:,} rows: ratio {now.ratio:.2f} ± {now.noise:.2f}, "
            f"reviewed was {then.ratio:.2f} ± {then.noise:.2f}"
            for now, then in found
            if now.is_worse_than(then)
        ]

    def write(self, directory: Path) -> None:
        """Write figures, page and plots to `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / FIGURES_FILE).write_text(self.to_json(), "utf-8")
        (directory / PAGE_FILE).write_text(self.page("."), "utf-8")
        self.plot(directory)

    def plot(self, directory: Path) -> None:
        """Draw the ratios, for light and for dark paper."""
        for name, theme in _THEMES.items():
            drawn: str = vl_convert.vegalite_to_svg(_chart(self.figures, theme).to_dict(), vl_version="6.4")
            (directory / f"performance-{name}.svg").write_text(drawn, "utf-8")

    def page(self, images: str) -> str:
        """Return the page; its pictures lie in `images`, seen from it."""
        table = _markdown(f.cells for f in self.figures)
        text = (Path(__file__).parent / "performance.md").read_text("utf-8")
        picture = (
            f'<picture><source media="(prefers-color-scheme: dark)" srcset="{images}/performance-dark.svg">'
            f'<img alt="Ratios of the platform to its baselines" src="{images}/performance-light.svg"></picture>'
        )
        values = {"MEASURED_AT": self.measured_at, "MACHINE": self.machine, "TABLE": table, "PICTURE": picture}
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return text


def keep(report: Report) -> None:
    """Make a report the reviewed one: write ``docs/performance.md`` with its plots, and what later runs are compared with."""
    REVIEWED.write_text(report.to_json(), "utf-8")
    PAGE.write_text(report.page("images"), "utf-8")
    report.plot(IMAGES)


def _markdown(rows: Iterable[Sequence[str]]) -> str:
    ratio = COLUMNS.index("ratio")
    shown = [[f"**{cell}**" if place == ratio else cell for place, cell in enumerate(row)] for row in rows]
    lines = [COLUMNS, ["---" if column in TEXTS else "---:" for column in COLUMNS], *shown]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _chart(figures: Iterable[Figure], theme: Theme) -> Any:
    """Draw each figure's median ratio and its range, on a logarithmic scale, beside the line at which both are level."""
    values = [
        {
            "name": f"{f.stage}: {f.work} ({_short(f.rows)} rows), against {f.baseline}",
            "ratio": f.ratio,
            "low": min(f.ratios),
            "high": max(f.ratios),
            "label": f"{f.ratio:.2f}",
        }
        for f in figures
    ]
    base = alt.Chart(alt.InlineData(values=values)).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=520))
    )
    scale = alt.Scale(type="log", nice=True)
    axis = alt.Axis(values=_TICKS, title="seconds of the platform / seconds of its baseline")
    x = alt.X("ratio:Q", scale=scale, axis=axis)
    level = (
        alt.Chart(alt.InlineData(values=[{"level": 1}]))
        .mark_rule(color=theme.text, strokeDash=[4, 3])
        .encode(x="level:Q")
    )
    ranges = base.mark_rule(color=MAIN_COLOUR, strokeWidth=3).encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    points = base.mark_point(color=MAIN_COLOUR, filled=True, size=110, opacity=1).encode(x=x)
    labels = base.mark_text(dy=-13, color=theme.text, fontSize=12).encode(x=x, text="label:N")
    return (
        alt.layer(level, ranges, points, labels)
        .properties(width=560, height=alt.Step(42))
        .configure(background="transparent", font=theme.font)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=theme.text,
            titleColor=theme.text,
            gridColor=theme.grid,
            domain=False,
            ticks=False,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            labelPadding=8,
        )
    )


def _short(rows: int) -> str:
    for size, letter in ((10**6, " million"), (10**3, " thousand")):
        if rows >= size and rows % size == 0:
            return f"{rows // size}{letter}"
    return f"{rows:,}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
