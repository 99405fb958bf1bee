"""Templates are synthesised in an environment that has neither PySpark nor what the functions need."""

import os
import subprocess
import sys

import pytest

from local.home import ROOT

#: Refuses what synthesis does not need, however it is asked for, and says how many templates were made.
PROGRAM = """
import importlib.abc, json, runpy, sys
from pathlib import Path

class Refused(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refused())
runpy.run_path("app.py", run_name="__main__")
print(len([*Path(sys.argv[1]).glob("*.template.json")]))
"""


def synthesise(directory, names):
    variables = {
        **os.environ,
        "CDK_OUTDIR": str(directory),
        "CDK_CONTEXT_JSON": '{"env": "prod", "lambda_wheels": false}',
    }
    command = [sys.executable, "-c", PROGRAM.format(names=names), str(directory)]
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


def test_synthesis_needs_neither_the_job_nor_the_handlers(tmp_path):
    names = {"pyspark", "psycopg", "pyarrow", "aws_lambda_powertools", "lambdas", "glue_jobs", "awswrangler", "boto3"}
    done = synthesise(tmp_path, names)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-1] == "5"


def test_what_synthesis_needs_is_missed(tmp_path):
    assert "No module named 'contracts'" in synthesise(tmp_path, {"contracts"}).stderr


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("cdk_app/settings.py", "import pyspark", "templates are synthesised without"),
        ("lambdas/load/settings.py", "import lambdas.extract.plan", "extract, load and notify know nothing"),
        ("glue_jobs/errors.py", "import lambdas.errors", "contracts ←"),
        ("contracts/errors.py", "import glue_jobs.errors", "contracts ←"),
        ("lambdas/errors.py", "import local.errors", "what is deployed knows nothing of the laptop"),
        ("lambdas/errors.py", "import operate.errors", "only the laptop knows of operate"),
        ("operate/errors.py", "import local.errors", "operate knows of the deployment its settings"),
        ("operate/errors.py", "import cdk_app.policy", "operate knows of the deployment its settings"),
    ],
)
def test_an_import_in_the_wrong_direction_is_told(tmp_path, file, line, broken):
    """The rules of pyproject.toml, over a copy of the code with one wrong import."""
    for name in (
        "contracts",
        "lambdas",
        "glue_jobs",
        "analytics",
        "operate",
        "cdk_app",
        "local",
        "tools",
        "bench",
        "pyproject.toml",
    ):
        (tmp_path / name).symlink_to(ROOT / name)
    package = tmp_path / file.partition("/")[0]
    package.unlink()
    copy_tree(ROOT / package.name, package)
    with (tmp_path / file).open("a") as opened:
        opened.write(f"\n{line}\n")
    done = subprocess.run(
        [str(ROOT / ".venv" / "bin" / "lint-imports"), "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    text = " ".join(done.stdout.split())
    assert done.returncode == 1 and f"{broken}" in text.partition("Broken contracts")[2], done.stdout + done.stderr


def copy_tree(source, target):
    for path in source.rglob("*.py"):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
