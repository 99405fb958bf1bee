"""What mypy is told not to follow is nothing that the project imports."""

import ast
import importlib.util
import tomllib
from pathlib import Path

from local.home import ROOT


def _imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_of_aws_cdk_the_types_are_followed_that_the_project_imports():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    followed = {
        name
        for override in settings["overrides"]
        if override.get("follow_imports") == "normal"
        for name in override["module"]
    }
    files = [
        file
        for place in settings["files"]
        for file in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]
    imported = {name for file in files for name in _imported(file) if name.split(".")[0] == "aws_cdk"}
    place = Path(importlib.util.find_spec("aws_cdk").origin).parents[1]
    assert {name for name in followed if "interfaces" not in name} == {
        name for name in imported if place.joinpath(*name.split("."), "__init__.py").exists()
    }
