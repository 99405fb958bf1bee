"""``make bench-transform``: the job against DuckDB, which makes the same tables in Parquet from the same CSV parts.

A first batch of `--rows` sales orders, with their transactions and payments, then batches of 100 changed rows. Prints wall
times, ratios, the peak memory of all of the job's processes, and how many files an incremental batch reads and writes.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psutil
from rich.console import Console
from rich.table import Table

from bench.processes import client, create_bucket, scratch
from bench.rows import BASELINE, CREATED, LARGE, PART_ROWS, ROWS, SIZES, STAMP
from contracts.batch import Manifest, Part, SourceIdentity, TableExtract
from contracts.checksum import mix_sql
from contracts.document import FORMAT
from contracts.layout import manifest_key
from contracts.source import SOURCE_TABLES
from contracts.store import Bucket, newest_publication_number, read_publication
from local.aws import ACCOUNT, Aws, credentials
from local.home import ROOT, Home
from local.spark import write_spark_defaults
from local.tools import java_home

INGESTION, PROCESSED, DATABASE = "bench-ingestion", "bench-processed", "bench"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--increments", type=int, default=3)
    options = parser.parse_args()
    with scratch() as directory:
        Bench(directory, options.rows).run(options.increments)


class Bench:
    """One lake of `rows` orders, transactions and payments in `directory`."""

    def __init__(self, directory: Path, rows: int) -> None:
        self._directory = directory
        self._rows = rows
        self._console = Console(width=None if sys.stdout.isatty() else 120)
        self._home = Home(directory / "home")
        self._home.create()
        self._aws = Aws(self._home)
        self._database = duckdb.connect()
        self._database.execute("set threads = 2")
        self._database.execute("set enable_progress_bar = false")
        self._updated: dict[str, int] = {}

    def run(self, increments: int) -> None:
        """Measure, and print."""
        try:
            with self._console.status("starting"):
                self._prepare()
            with self._console.status(f"generating {self._rows:,} rows a table"):
                self._commit(1, {name: (1, self._size(name), 0) for name in ROWS})
            with self._console.status("DuckDB"):
                baseline = self._baseline()
            table = Table(title=f"{self._rows:,} orders, transactions and payments", title_justify="left")
            for column in ("batch", "rows", "job", "DuckDB", "ratio", "peak memory", "files written"):
                table.add_column(column, justify="right")
            with self._console.status("first batch"):
                seconds, peak = self._job(optimise=self._rows >= 1_000_000)
            cells = [f"{seconds:.1f} s", f"{baseline:.1f} s", f"{seconds / baseline:.2f}", f"{peak:.0f} MiB"]
            table.add_row("1", f"{3 * self._rows:,}", *cells, str(self._files(1)))
            for batch in range(2, increments + 2):
                # Spread over the whole history: 50 orders and 50 payments changed
                self._commit(batch, dict.fromkeys(("sales_order", "payment"), (batch, 50, batch)))
                with self._console.status(f"batch {batch}"):
                    seconds, peak = self._job()
                table.add_row(str(batch), "100", f"{seconds:.1f} s", "", "", f"{peak:.0f} MiB", str(self._files(batch)))
            self._console.print(table)
        finally:
            self._aws.stop()

    def _prepare(self) -> None:
        self._environment = {**credentials(), "AWS_ENDPOINT_URL": self._aws.start()}
        endpoint = self._environment["AWS_ENDPOINT_URL"]
        self._s3 = client("s3", endpoint)
        for bucket in (INGESTION, PROCESSED):
            create_bucket(self._s3, bucket)
        client("glue", endpoint).create_database(
            DatabaseInput={"Name": DATABASE, "LocationUri": f"s3://{PROCESSED}/star"}
        )

    def _configure(self, *, optimise: bool) -> None:
        write_spark_defaults(
            self._home.spark,
            endpoint=self._environment["AWS_ENDPOINT_URL"],
            s3_files=self._home.s3 / ACCOUNT,
            buckets=[INGESTION, PROCESSED],
            warehouse=f"s3://{PROCESSED}/star",
            scratch=self._home.tmp,
            optimise=optimise,
        )

    def _size(self, name: str) -> int:
        return self._rows if name in LARGE else SIZES[name]

    def _commit(self, batch: int, tables: dict[str, tuple[int, int, int]]) -> None:
        """Write a batch: for each table the first row, how many, and how often they have changed."""
        time_ = datetime.now(UTC)
        extracts = {}
        for name, table in SOURCE_TABLES.items():
            count = self._size(name) if name in ROWS else 0
            checksum = self._one(f"select coalesce(sum({mix_sql('n')}), 0) from range(1, {count + 1}) r(n)")
            parts = self._parts(batch, name, *tables[name]) if name in tables else ()
            extracts[name] = TableExtract(
                read="whole" if batch == 1 else "changed" if parts else "nothing",
                columns=table.column_names,
                parts=parts,
                rows=sum(part.rows for part in parts),
                key_parts=None,
                source_count=count,
                source_key_checksum=int(checksum),
            )
        manifest = Manifest(
            format=FORMAT,
            batch=batch,
            previous=batch - 1 or None,
            first=batch,
            unfinished=None,
            reason="first batch" if batch == 1 else "",
            source=SourceIdentity("1", 1, 1),
            horizon=batch,
            snapshot_time=time_.isoformat(timespec="microseconds"),
            tables=extracts,
        )
        Bucket(self._s3, INGESTION).put_once(manifest_key(batch), manifest.to_json())

    def _parts(self, batch: int, name: str, first: int, count: int, change: int) -> tuple[Part, ...]:
        """Write rows as COPY would. Of an incremental batch they are spread over all keys."""
        created = CREATED.format(rows=self._rows)
        columns = ROWS[name].format(stamp=STAMP.format(created), created=created, change=change)
        parts = []
        for number, low in enumerate(range(0, count, PART_ROWS), 1):
            high = min(low + PART_ROWS, count)
            step = max(1, (self._size(name) - 60) // count) if batch > 1 else 1
            numbers = f"select {first} + i * {step} as n from range({low}, {high}) r(i)"
            key = f"{name}/extracted_date=2026-11-20/{batch:08d}-bench-{number:04d}.csv"
            path = self._home.s3 / ACCOUNT / INGESTION / key
            local = self._directory / "part.csv"
            self._database.execute(f"copy (select {columns} from ({numbers})) to '{local}' (header)")
            digest = hashlib.sha256()
            with local.open("rb") as file:
                while block := file.read(2**20):
                    digest.update(block)
            with local.open("rb") as file:
                self._s3.upload_fileobj(file, INGESTION, key)
            parts.append(Part(key, path.stat().st_size, high - low, digest.hexdigest()))
        return tuple(parts)

    def _one(self, statement: str) -> Any:
        row = self._database.execute(statement).fetchone()
        return row[0] if row else None

    def _baseline(self) -> float:
        files = {name: str(self._home.s3 / ACCOUNT / INGESTION / name / "*" / "*.csv") for name in LARGE}
        out, script = self._directory / "baseline", ""
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
            "import duckdb, sys; c = duckdb.connect(); c.execute('set threads = 2'); c.execute(sys.argv[1])",
        ]
        started = time.monotonic()
        subprocess.run([*command, script], check=True)
        return time.monotonic() - started

    def _job(self, *, optimise: bool = False) -> tuple[float, float]:
        """Run the job; return seconds and the peak memory of its processes in MiB."""
        self._configure(optimise=optimise)
        log = self._directory / "job.log"
        command = [sys.executable, "-m", "glue_jobs.transform", "--ingestion_bucket", INGESTION]
        command += ["--processed_bucket", PROCESSED, "--database", DATABASE]
        environment = {
            **os.environ,
            **self._environment,
            "SPARK_CONF_DIR": str(self._home.spark),
            "JAVA_HOME": str(java_home()),
            "PYSPARK_PYTHON": sys.executable,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        before = newest_publication_number(Bucket(self._s3, PROCESSED))
        started = time.monotonic()
        with log.open("w") as stream:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT)
            peak = _watched(process)
        seconds = time.monotonic() - started
        if process.returncode or newest_publication_number(Bucket(self._s3, PROCESSED)) != before + 1:
            sys.exit(log.read_text())
        if os.environ.get("BENCH_LOG"):
            print(log.read_text())
        return seconds, peak

    def _files(self, batch: int) -> int:
        return sum(len(t.files) for t in read_publication(Bucket(self._s3, PROCESSED), batch).tables.values())


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


if __name__ == "__main__":
    main()
