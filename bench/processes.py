"""What the benchmarks share: a place for their files, and processes that measure themselves."""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from rich.console import Console

from bench.figures import Figure, as_table
from local.home import ROOT
from local.servers.emulator_process import REGION


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a directory for one benchmark, and remove it afterwards."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, ignore_cleanup_errors=True) as directory:
        yield Path(directory)


def terminal() -> Console:
    """Return where benchmarks show what they do."""
    return Console(width=None if sys.stdout.isatty() else 140)


def sized(description: str | None, rounds: int = 3) -> argparse.ArgumentParser:
    """Return a parser of what every benchmark is told: how many rows, and how often."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=rounds)
    return parser


def show(measure: Callable[[Path, Console], list[Figure]]) -> None:
    """Run one benchmark in a directory of its own, and print its figures."""
    console = terminal()
    with scratch() as directory:
        console.print(as_table(measure(directory, console)))


def client(service: str, endpoint: str) -> Any:
    """Return a client of the emulator."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)  # noqa: S106
    return session.client(service, endpoint_url=endpoint)


def create_bucket(s3: Any, name: str) -> None:
    """Create a bucket of the emulator."""
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})


def run(command: list[str], variables: dict[str, str]) -> dict[str, float]:
    """Run a process that measures itself; the last line of its output is its figures."""
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def tell(**figures: float) -> None:
    """Print the figures of this process, and its peak memory in MiB."""
    print(json.dumps({**figures, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
