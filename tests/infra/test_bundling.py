"""Bundles: complete for the Lambda platform, small enough, reproducible, and importable by newer Pythons."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cdk_app import bundling
from cdk_app.bundling import FUNCTIONS, LIMIT_BYTES, BundleError, function_bundle, job_library


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(bundling, "CACHE", tmp_path)
    return tmp_path


def _size(directory: Path) -> int:
    return sum(f.stat().st_size for f in directory.rglob("*") if f.is_file())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_bundle_runs_on_lambda(name):
    bundle = function_bundle(name, wheels=True)
    assert _size(bundle) < LIMIT_BYTES
    assert (bundle / "lambdas" / name / "handler.py").exists() and (
        bundle / "contracts" / "tables" / "iso4217.json"
    ).exists()
    compiled = [f.name for f in bundle.rglob("*.so")]
    assert compiled and not [name for name in compiled if "x86_64" in name]
    assert any("cpython-314-aarch64" in name for name in compiled)
    assert not list(bundle.rglob("__pycache__"))


def test_a_bundle_holds_no_other_functions_code():
    assert not (function_bundle("extract", wheels=False) / "lambdas" / "load").exists()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_bundle_has_the_authorities_of_rds(name):
    file = Path("lambdas", "rds_authorities.pem")
    assert (function_bundle(name, wheels=False) / file).read_bytes() == (bundling.ROOT / file).read_bytes()


def test_building_twice_gives_the_same_directory_and_a_changed_source_another(cache, monkeypatch):
    first = function_bundle("extract", wheels=False)
    assert function_bundle("extract", wheels=False) == first
    copy = cache / "root"
    for package in ("contracts", "lambdas"):
        shutil.copytree(bundling.ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(bundling, "ROOT", copy)
    assert function_bundle("extract", wheels=False).name == first.name
    (copy / "lambdas" / "secret.py").write_text("changed")
    assert function_bundle("extract", wheels=False).name != first.name


def test_a_build_that_fails_leaves_nothing_behind(cache, monkeypatch):
    monkeypatch.setattr(bundling, "LIMIT_BYTES", 10)
    with pytest.raises(BundleError, match="bytes unzipped"):
        function_bundle("extract", wheels=False)
    assert list(cache.iterdir()) == []


def test_dependencies_that_cannot_be_resolved_are_told(cache, monkeypatch, tmp_path):
    lock = bundling.ROOT / "lambdas" / "extract" / "requirements.lock"
    monkeypatch.setattr(bundling, "PYTHON", "not-a-version")
    with pytest.raises(BundleError, match="cannot be resolved"):
        bundling._dependencies(lock)


def test_the_jobs_library_imports_from_a_zip(tmp_path):
    """Glue imports it from a zip, without the repository and without the functions' dependencies."""
    archive = tmp_path / "library.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in job_library().rglob("*"):
            packed.write(file, file.relative_to(job_library()))
    code = (
        "import glue_jobs.batch_run, contracts.tables.currencies as c, contracts;"
        "print(contracts.__file__, len(c.CURRENCY_NAMES))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(archive), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "library.zip" in done.stdout


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
@pytest.mark.parametrize("bundle", ["extract", "load", "glue"])
def test_sources_compile_on_newer_pythons(version, bundle, tmp_path):
    interpreter = _interpreter(version)
    if interpreter is None:
        pytest.skip(f"no Python {version} on this machine to compile the {bundle} bundle with")
    directory = job_library() if bundle == "glue" else function_bundle(bundle, wheels=False)
    copy = shutil.copytree(directory, tmp_path / "bundle")
    done = subprocess.run(
        [interpreter, "-W", "error", "-m", "compileall", "-q", "-f", str(copy)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    code = "import contracts.protocol.manifest, contracts.tables.star, contracts.checksum, contracts.tables.currencies"
    done = subprocess.run([interpreter, "-W", "error", "-c", code], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _interpreter(version: str) -> str | None:
    for candidate in (
        shutil.which(f"python{version}"),
        *Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python"),
    ):
        if candidate and subprocess.run([candidate, "--version"], capture_output=True).returncode == 0:
            return str(candidate)
    return None
