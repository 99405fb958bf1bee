"""A run of the job in processes of its own, and DuckDB making the same tables: what several benchmarks measure."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.rows import BASELINE
from contracts.protocol.catalog import location
from local.home import ROOT, Home
from local.made_up import LakeNames
from local.spark.jvm import spark_environment
from local.spark.settings import write_spark_defaults

#: Rows from which the JVM's second compiler pays.
MANY_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """A run of some step: its wall time, and the peak memory of its processes in MiB."""

    seconds: float
    peak: float


def run_job(home: Home, environment: Mapping[str, str], names: LakeNames, *, optimise: bool = False) -> MeasuredRun:
    """Run the job once; what it prints is shown when it fails.

    Parameters
    ----------
    environment
        Endpoint and login of the emulator of `home`.
    optimise
        Whether the JVM optimises: for `MANY_ROWS` and more.
    """
    write_spark_defaults(
        home.spark,
        endpoint=environment["AWS_ENDPOINT_URL"],
        warehouse=location(names.processed),
        scratch=home.tmp,
        optimise=optimise,
    )
    command = [sys.executable, "-m", "glue_jobs.transform", *names.arguments]
    variables = {**os.environ, **environment, **spark_environment(home.spark), "AWS_EC2_METADATA_DISABLED": "true"}
    log = home.logs / "job.log"
    started = time.monotonic()
    with log.open("w") as stream:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=stream, stderr=subprocess.STDOUT)
        peak = _watched(process)
    if process.returncode:
        sys.exit(log.read_text())
    return MeasuredRun(time.monotonic() - started, peak)


def run_duckdb(files: Mapping[str, str], out: Path) -> float:
    """Make the large star tables with DuckDB; return the seconds that its process took.

    Parameters
    ----------
    files
        Source table → CSV files, as a pattern.
    out
        Directory that receives Parquet files.
    """
    script = ""
    out.mkdir()
    for name, select in BASELINE.items():
        month, by = "", ""
        if name.startswith("fact_"):
            month, by = ", strftime(created_date, '%Y-%m') as month", ", partition_by (month)"
        script += (
            f"copy (select *, sha256(t::varchar) as row_hash, 1 as batch_id{month} from ({select.format(**files)}) t) "
            f"to '{out / name}' (format parquet, compression zstd{by});"
        )
    command = [
        sys.executable,
        "-c",
        "import duckdb, sys; c = duckdb.connect(); c.execute('set threads = 2'); c.execute('set enable_progress_bar = false'); "
        "c.execute(sys.argv[1])",
    ]
    started = time.monotonic()
    subprocess.run([*command, script], check=True)
    return time.monotonic() - started


def _watched(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process; return the peak of what it and its children hold, in MiB."""
    peak = 0
    while process.poll() is None:
        held = 0
        for one in _family(process.pid):
            try:
                held += one.memory_info().rss
            except psutil.Error:
                continue
        peak = max(peak, held)
        time.sleep(0.2)
    return peak / 2**20


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
