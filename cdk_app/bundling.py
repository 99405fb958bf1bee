"""Lambda bundles and the Glue job's library, built without Docker.

A bundle is a directory named by the digest of all that goes into it; building is idempotent, and
the dependencies of a function are resolved for the Lambda platform once for each lock file.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bundles"
PYTHON = "3.14"
PLATFORM = "aarch64-manylinux_2_28"
FUNCTIONS = ("extract", "load", "notify")
#: AWS refuses functions that are larger than this, unzipped.
LIMIT_BYTES = 250 * 2**20

# What a function never imports. substrait, dataset and acero must stay: pyarrow's import breaks without.
_NEEDLESS = (
    "**/__pycache__",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.pxi",
    "**/tests",
    "**/*.dist-info/RECORD",
    "**/*.dist-info/INSTALLER",
    "**/*.dist-info/REQUESTED",
    "**/direct_url.json",
    "**/uv_cache.json",
    ".lock",
    "bin",
    "pyarrow/include",
    "pyarrow/src",
    "pyarrow/includes",
    "pyarrow/_flight*",
    "pyarrow/libarrow_flight*",
    "pyarrow/libarrow_python_flight*",
    "pyarrow/*_cpp_tests*",
)


class BundleError(Exception):
    """A bundle cannot be built, or AWS would refuse it."""


def function_bundle(name: str, *, wheels: bool) -> Path:
    """Build the bundle of one function.

    Parameters
    ----------
    name
        A package under ``lambdas/``.
    wheels
        Whether the dependencies of its ``requirements.lock`` go in.

    Returns
    -------
    Path
        The bundle's directory.
    """
    sources = [
        *_modules(ROOT / "contracts"),
        *(path for path in _modules(ROOT / "lambdas") if path.parent == ROOT / "lambdas"),
        *_modules(ROOT / "lambdas" / name),
    ]
    dependencies = _dependencies(ROOT / "lambdas" / name / "requirements.lock") if wheels else None

    def fill(target: Path) -> None:
        if dependencies:
            shutil.copytree(dependencies, target, dirs_exist_ok=True)
        _copy(sources, target)
        size = sum(f.stat().st_size for f in target.rglob("*") if f.is_file())
        if size > LIMIT_BYTES:
            raise BundleError(
                f"Function {name}: {size:,} bytes unzipped, AWS takes {LIMIT_BYTES:,}. Drop a dependency."
            )

    salt = dependencies.name if dependencies else ""
    return _built(name, _digest(sources, salt), fill)


def job_library() -> Path:
    """Build the library that the Glue job imports: the contracts and the job's own modules."""
    sources = [*_modules(ROOT / "contracts"), *_modules(ROOT / "glue_jobs")]
    return _built("glue", _digest(sources, ""), lambda target: _copy(sources, target))


def _modules(package: Path) -> list[Path]:
    return sorted(
        p for p in package.rglob("*") if p.suffix in (".py", ".json", ".pem") and "__pycache__" not in p.parts
    )


def _digest(files: Iterable[Path], salt: str) -> str:
    digest = hashlib.sha256(salt.encode())
    for file in files:
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _copy(files: Iterable[Path], target: Path) -> None:
    for file in files:
        copy = target / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def _dependencies(lock: Path) -> Path:
    digest = hashlib.sha256(f"{PYTHON} {PLATFORM} {_NEEDLESS}".encode() + lock.read_bytes()).hexdigest()[:16]

    def fill(target: Path) -> None:
        # fmt: off
        command = [
            _uv(), "pip", "install", "--quiet", "--target", str(target), "--python-version", PYTHON,
            "--python-platform", PLATFORM, "--only-binary", ":all:", "--require-hashes", "--no-deps",
            "--no-compile-bytecode", "--link-mode", "copy", "--requirements", str(lock),
        ]
        # fmt: on
        environment = {**os.environ, "UV_CACHE_DIR": str(ROOT / ".cache" / "uv")}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            raise BundleError(f"Dependencies of {lock.relative_to(ROOT)} cannot be resolved:\n{done.stderr}")
        for pattern in _NEEDLESS:
            for path in list(target.glob(pattern)):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    return _built("dependencies", digest, fill)


def _built(name: str, digest: str, fill: Callable[[Path], None]) -> Path:
    """Return the directory ``name-digest``, filling it first where it does not exist."""
    target = CACHE / f"{name}-{digest}"
    if not target.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=CACHE))
        try:
            fill(scratch)
            scratch.chmod(0o755)
            os.replace(scratch, target)
        except OSError:
            if not target.is_dir():  # else another build was faster, and its result is the same
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return target


def _uv() -> str:
    import uv

    return str(uv.find_uv_bin())


if __name__ == "__main__":
    for function in FUNCTIONS:
        print(function_bundle(function, wheels=True), file=sys.stderr)
