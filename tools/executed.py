"""``pytest -p tools.executed``: note which lines and branches of the product are executed, for ``coverage report``.

On Python 3.11 the tracer of Coverage asks for an event for every line of every library, and tests take two to three times as long.
SlipCover puts probes into the modules that are measured, and takes out those that it has heard of. What is measured, what is left
out and what the report says are Coverage's: its settings are read, and each process of the tests writes a file of its data.
(SlipCover names the branches of a ``match`` statement in another way; they would be reported as missing.)
"""

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import slipcover
from coverage import Coverage, CoverageData
from coverage.parser import PythonParser

_SETTINGS = Coverage().config
_SOURCES = [Path(name).resolve() for name in _SETTINGS.source or ()]
_PROBES = slipcover.Slipcover(branch=True)
_MEASURED = slipcover.FileMatcher(_SOURCES, _SETTINGS.run_omit)
_IMPORTS = slipcover.ImportManager(_PROBES, _MEASURED)

if known := sorted({*sys.modules} & {path.name for path in _SOURCES}):
    raise ImportError(
        f"What is imported already cannot be measured: {', '.join(known)}. Name this plugin first, with -p."
    )
_IMPORTS.__enter__()  # before any plugin or conftest.py imports what is measured


def pytest_sessionfinish() -> None:
    """Write what this process has executed."""
    data = CoverageData(_SETTINGS.data_file, suffix=True)
    executed = _PROBES.get_coverage()["files"]
    data.add_arcs({str(Path(name).resolve()): _arcs(Path(name).resolve(), found) for name, found in executed.items()})
    data.touch_files([str(path) for source in _SOURCES for path in source.rglob("*.py") if _MEASURED.matches(path)])
    data.write()


def _arcs(path: Path, executed: dict[str, Any]) -> set[tuple[int, int]]:
    """Return lines and branches as Coverage has them: pairs of lines, of which a negative one is the way in or out."""
    parser = PythonParser(filename=str(path))
    parser.parse_source()
    ways_out = defaultdict(set)
    for start, end in parser.arcs():
        if end < 0:
            ways_out[start].add((start, end))
    arcs = {(-1, line) for line in executed["executed_lines"]}
    for start, end in executed["executed_branches"]:
        arcs |= {(start, end)} if end else ways_out[parser.first_line(start)]
    return arcs
