"""What the tests execute is what Coverage's own tracer says."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.home import ROOT

_SETTINGS = """
[tool.coverage.run]
branch = true
source = ["measured"]
omit = ["measured/left_out.py"]

[tool.coverage.report]
exclude_also = ["class .*Protocol.:"]
"""
_MODULE = """
from typing import Protocol


class Named(Protocol):
    name: str


def without_else(value):
    if value:
        value += 1
    return value


def early(values):
    for value in values:
        if value > 2:
            return value
    return None


def caught(text):
    try:
        return int(text)
    except ValueError:
        return 0
    finally:
        text = ""


def counted(value):
    while value:
        value -= 1
        if value == 2:
            continue
    else:
        value = (
            3
            if value
            else 4
        )
    return value


def generated(values):
    with open(
        "/dev/null"
    ):
        yield from (value for value in values if value)
    yield [value for value in values]


def ended(values):
    if values:
        values.clear()


def never(value):
    if value:
        return 1
"""
_TEST = """
from measured import ways


def test_first():
    assert ways.without_else(1) == 2
    assert ways.early([1, 3]) == 3
    assert ways.caught("1") == 1


def test_second():
    assert ways.early([]) is None
    assert ways.counted(3) == 4
    ways.ended([])
    assert list(ways.generated([0, 1])) == [1, [0, 1]]
"""
_FILES = {
    "pyproject.toml": _SETTINGS,
    "measured/__init__.py": "",
    "measured/ways.py": _MODULE,
    "measured/left_out.py": "VALUE = 1\n",
    "measured/unknown.py": "VALUE = 1\n",
    "test_ways.py": _TEST,
    "test_ways_again.py": _TEST,
}


@pytest.fixture
def project(tmp_path) -> Path:
    for name, text in _FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_lines_and_branches_are_those_that_the_tracer_sees(project):
    _python(project, "coverage", "run", "-m", "pytest", "-q")
    traced = _report(project)
    assert {*traced} == {"measured/__init__.py", "measured/ways.py", "measured/unknown.py"}
    assert traced["measured/ways.py"]["missing_branches"], "nothing would be compared"
    for workers in ((), ("-n", "2")):
        _python(project, "coverage", "erase")
        _python(project, "pytest", "-q", "-p", "tools.executed", *workers)
        _python(project, "coverage", "combine", "--quiet")
        assert _report(project) == traced


def test_what_is_imported_already_cannot_be_measured(project):
    ended = _python(project, "pytest", "-q", "-p", "measured.ways", "-p", "tools.executed", code=3)
    assert "What is imported already cannot be measured: measured." in ended


def _report(directory: Path) -> dict[str, Any]:
    _python(directory, "coverage", "json", "--quiet")
    files = json.loads((directory / "coverage.json").read_text())["files"]
    kept = ("missing_lines", "missing_branches", "executed_branches", "executed_lines", "summary")
    return {name: {key: found[key] for key in kept} for name, found in files.items()}


def _python(directory: Path, *arguments: str, code: int = 0) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    search = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))
    ended = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=directory,
        env={**environment, "PYTHONPATH": search},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == code, f"{arguments}: {ended.stdout}\n{ended.stderr}"
    return ended.stdout + ended.stderr
