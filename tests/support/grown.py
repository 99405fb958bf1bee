"""A copy of the repository whose contract has grown by one edit: the very edit that CONTRIBUTING.md shows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from local.home import ROOT

_COPIED = (
    *("contracts", "lambdas", "glue_jobs", "analytics", "cdk_app", "local", "operate", "tools", "tests/support"),
    *("app.py", "cdk.json", "package.json", "pyproject.toml"),
)
_LINKED = (".venv", ".cache", "node_modules")


def edit(name: str) -> str:
    """Return the diff that CONTRIBUTING.md shows under `name`."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    found = re.search(rf"<!-- diff: {name} -->\s*```diff\n(.*?)```", text, re.DOTALL)
    assert found, f"CONTRIBUTING.md shows no diff: {name}"
    return found[1]


def grown(directory: Path, name: str) -> Path:
    """Copy the repository and make the edit: nothing outside ``contracts/`` may be in it."""
    diff = edit(name)
    assert {line.split("/")[1] for line in diff.splitlines() if line.startswith("+++ ")} == {"contracts"}
    tree = directory / "tree"
    for path in _COPIED:
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / path, target)
    (tree / "tests" / "__init__.py").touch()
    for path in _LINKED:
        (tree / path).symlink_to(ROOT / path)
    subprocess.run(["git", "apply", "-"], cwd=tree, input=diff, text=True, check=True)
    return tree


def run_in(tree: Path, program: str, *arguments: str, **environment: str) -> str:
    """Run a Python program over a copy, and return what it prints."""
    variables: dict[str, Any] = {**os.environ, **environment, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=tree,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    return done.stdout
