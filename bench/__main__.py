"""``make bench``: every benchmark in one run, and a report of it in ``build/bench``."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from bench import end_to_end, extract, load, transform
from bench.figures import Figure, as_table
from bench.processes import scratch, terminal
from bench.report import FIGURES_FILE, PAGE_FILE, REVIEWED, Report, keep
from local.home import ROOT

BUILT = ROOT / "build" / "bench"


def main() -> None:
    """Measure, or keep what was measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[10_000], help="rows of the largest table; several are measured"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dlt", type=Path, help="Python of an environment that has dlt")
    parser.add_argument("--compare", action="store_true", help="fail when a figure is worse than the reviewed one")
    parser.add_argument(
        "--keep", action="store_true", help="make what was measured last the reviewed report; measure nothing"
    )
    options = parser.parse_args()
    if options.keep:
        keep(Report.read(BUILT / FIGURES_FILE))
        return
    console = terminal()
    report = Report.of(
        figure for rows in options.rows for figure in _measured(rows, options.rounds, options.dlt, console)
    )
    report.write(BUILT)
    console.print(as_table(report.figures))
    console.print(f"{BUILT.relative_to(ROOT) / PAGE_FILE}", highlight=False)
    if options.compare:
        worse = report.worse_than(Report.read(REVIEWED))
        for line in worse:
            print(f"worse: {line}", file=sys.stderr)
        sys.exit(1 if worse else 0)


def _measured(rows: int, rounds: int, dlt: Path | None, console: Console) -> list[Figure]:
    stages: list[Callable[[Path], list[Figure]]] = [
        lambda directory: extract.measure(directory, rows, rounds, console, dlt),
        lambda directory: transform.measure(directory, rows, rounds, console),
        lambda directory: load.measure(directory, rows, rounds, console),
        lambda directory: end_to_end.measure(directory, rows, rounds, console),
    ]
    found: list[Figure] = []
    for measure in stages:
        with scratch() as directory:
            found += measure(directory)
    return found


if __name__ == "__main__":
    main()
