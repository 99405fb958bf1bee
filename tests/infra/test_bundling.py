"""Bundles: complete for the Lambda platform, small enough, reproducible, and importable by newer Pythons."""

import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import aws_cdk as cdk
import pytest

from cdk_app import bundling
from cdk_app.bundling import FUNCTIONS, LIMIT_BYTES, BundleError, function_bundle, job_library

#: How much of what AWS accepts a bundle may take: dependencies grow with every release.
SHARE = 0.6
#: Imports a module with nothing but the standard library and the directories that are named.
CLEAN = "import sys, importlib; sys.path[:0] = sys.argv[2:]; print(importlib.import_module(sys.argv[1]).__file__)"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(bundling, "CACHE", tmp_path)
    return tmp_path


def _size(directory: Path) -> int:
    return sum(f.stat().st_size for f in directory.rglob("*") if f.is_file())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_bundle_runs_on_lambda(name):
    bundle = function_bundle(name, wheels=True)
    assert _size(bundle) <= SHARE * LIMIT_BYTES
    assert (bundle / "lambdas" / name / "handler.py").exists() and (
        bundle / "contracts" / "tables" / "iso4217.json"
    ).exists()
    compiled = [f.name for f in bundle.rglob("*.so")]
    assert compiled and not [name for name in compiled if "x86_64" in name]
    assert any("cpython-314-aarch64" in name for name in compiled)
    assert not list(bundle.rglob("__pycache__"))


def _import(module, *directories):
    command = [sys.executable, "-I", "-S", "-B", "-c", CLEAN, module, *map(str, directories)]
    variables = {"POWERTOOLS_SERVICE_NAME": "test", "AWS_DEFAULT_REGION": "eu-west-2"}
    return subprocess.run(command, env=variables, cwd="/", capture_output=True, text=True, check=False)


def _packages(directory, *roots):
    """Link installed packages, and what they need, into a directory: what a runtime of AWS brings along."""
    directory.mkdir()
    names, seen = [*roots], set()
    while names:
        if (name := names.pop()) in seen:
            continue
        seen.add(name)
        distribution = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}:
            if (installed := Path(distribution.locate_file(top))).exists() and top != "__pycache__":
                (directory / top).symlink_to(installed)
        names += [re.match(r"[\w.-]+", need)[0] for need in distribution.requires or () if "extra ==" not in need]
    return directory


@pytest.fixture(scope="module", params=FUNCTIONS)
def built(request, tmp_path_factory):
    """Build one function twice, in two places, of its own lock, for the Python and the platform of this machine."""
    if sys.platform != "linux":
        pytest.skip("the locks of the functions name Linux wheels only")
    python, place = f"{sys.version_info.major}.{sys.version_info.minor}", f"{platform.machine()}-manylinux_2_28"
    bundles = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundling, "PYTHON", python)
        patch.setattr(bundling, "PLATFORM", place)
        for number in ("first", "second"):
            patch.setattr(bundling, "CACHE", tmp_path_factory.mktemp(number))
            bundles.append(function_bundle(request.param, wheels=True))
    yield request.param, *bundles
    for bundle in bundles:
        shutil.rmtree(bundle.parent)


def test_a_handler_is_imported_by_its_bundle_and_the_boto3_of_the_runtime(built, tmp_path):
    name, bundle, _ = built
    runtime = _packages(tmp_path / "runtime", "boto3")
    done = _import(f"lambdas.{name}.handler", bundle, runtime)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == str(bundle / "lambdas" / name / "handler.py")
    assert not (bundle / "boto3").exists() and not (bundle / "botocore").exists()


def test_without_its_bundle_nothing_of_it_is_found(built, tmp_path):
    """Else an import would prove nothing: the environment of the tests has every package."""
    name, *_ = built
    alone = _import(
        f"lambdas.{name}.handler", function_bundle(name, wheels=False), _packages(tmp_path / "runtime", "boto3")
    )
    assert alone.returncode == 1 and "No module named" in alone.stderr


def test_two_builds_are_the_same_bytes_whenever_they_are_made(built):
    _, first, second = built
    for file in second.rglob("*"):
        os.utime(file, (86_400, 86_400))
    assert first.parent != second.parent and first.name == second.name
    assert _content(first) == _content(second)
    fingerprints = {cdk.FileSystem.fingerprint(str(bundle)) for bundle in (first, second)}
    assert len(fingerprints) == 1, "the CDK would upload the bundle again, and deploy the function"
    (second / "lambdas" / "secret.py").write_text("changed")
    assert _content(first) != _content(second)


def _content(bundle):
    return {
        str(f.relative_to(bundle)): (f.stat().st_mode, hashlib.sha256(f.read_bytes()).hexdigest())
        for f in bundle.rglob("*")
        if f.is_file()
    }


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


def test_the_jobs_library_needs_what_glue_has_and_nothing_else(tmp_path):
    runtime = _packages(tmp_path / "glue", "pyspark", "pyarrow", "boto3")
    done = _import("glue_jobs.batch_run", job_library(), runtime)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == str(job_library() / "glue_jobs" / "batch_run.py")


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
@pytest.mark.parametrize("bundle", [*FUNCTIONS, "glue"])
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
