"""What the examination found, as a table for people or as JSON for programs."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from operate.doctor.finding import Level
from operate.doctor.running import Result

_STYLE = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}


def count(results: Sequence[Result], level: Level) -> int:
    """Return how many findings have a level."""
    return sum(finding.level == level for result in results for finding in result.findings)


def table(results: Sequence[Result]) -> Table:
    """Return one table with a row for each finding."""
    shown = Table(show_lines=True)
    for column, width in (("check", 14), ("", 7), ("found", None), ("what to do", None)):
        shown.add_column(column, min_width=width, overflow="fold")
    for result in results:
        for finding in result.findings:
            level = Text(finding.level, style=_STYLE[finding.level])
            shown.add_row(Text(result.check), level, Text(finding.found), Text(finding.remedy))
    return shown


def summary(results: Sequence[Result], environment: str) -> str:
    """Return one line: what the table comes to."""
    problems, warnings = count(results, Level.PROBLEM), count(results, Level.WARNING)
    return f"{environment}: {problems} {_plural('problem', problems)}, {warnings} {_plural('warning', warnings)}."


def _plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"


def as_json(results: Sequence[Result], environment: str) -> dict[str, Any]:
    """Return the findings as JSON has them."""
    return {
        "environment": environment,
        "problems": count(results, Level.PROBLEM),
        "warnings": count(results, Level.WARNING),
        "findings": [
            {"check": result.check, "level": f.level, "kind": f.kind, "found": f.found, "remedy": f.remedy}
            for result in results
            for f in result.findings
        ],
    }
