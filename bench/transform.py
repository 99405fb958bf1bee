"""``make bench-transform``: the job against DuckDB, which makes the same tables in Parquet from the same CSV parts.

First batches of `--rows` sales orders, with their transactions and payments, into empty lakes; then batches of 100 changed rows, by
turns into the last of these lakes and into one of 10,000 rows; then batches that wait together, against one of them. Prints wall
times, ratios, the peak memory of all of the job's processes, and how many files a batch wrote.
"""

import hashlib
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console

from bench.figures import Figure
from bench.job import MANY_ROWS, MeasuredRun, run_duckdb, run_job
from bench.processes import client, show, sized
from bench.rows import CREATED, LARGE, PART_ROWS, ROWS, SIZES, STAMP
from contracts.checksum import mix_sql
from contracts.protocol.bucket import Bucket
from contracts.protocol.manifest import Part
from contracts.protocol.progress import newest_publication_number, read_publication
from contracts.tables.source import SOURCE_TABLES
from local.home import Home
from local.made_up import LakeNames, create_lake, extract_of, put_manifest
from local.servers.emulator_process import ACCOUNT, Aws, credentials

NAMES = LakeNames("bench-ingestion", "bench-processed", "bench")
#: Rows a table of the lake that incremental batches are compared with.
SMALL = 10_000
#: Batches that wait together, and rows of each.
WAITING, WAITING_ROWS = 16, 700


def main() -> None:
    """Run the benchmark."""
    options = sized(__doc__).parse_args()
    show(lambda directory, console: measure(directory, options.rows, options.rounds, console))


def measure(directory: Path, rows: int, rounds: int, console: Console) -> list[Figure]:
    """Bring first batches of `rows` orders, transactions and payments into empty lakes; then changed rows into the last one.

    Parameters
    ----------
    directory
        For everything that is written.
    rounds
        How many first batches, how many with 100 changed rows, and how often batches wait together.
    console
        Shows what is going on.
    """
    first, changed, peaks = [], [], []
    with ExitStack() as stack:

        def lake(name: str, size: int) -> Bench:
            with console.status(f"generating {size:,} rows a table"):
                bench = Bench(directory / name, size)
            stack.callback(bench.stop)
            return bench

        for number in range(1, rounds + 1):
            large = lake(f"large-{number}", rows)
            with console.status(f"transform: first batch, round {number} of {rounds}"):
                baseline, job = large.baseline(), large.first()
            first.append((job.seconds, baseline))
            peaks.append(job.peak)
            if number < rounds:
                large.stop()
                shutil.rmtree(directory / f"large-{number}")
        small = lake("small", SMALL)
        small.first()
        increments = []
        for number in range(1, rounds + 1):
            with console.status(f"transform: 100 changed rows, round {number} of {rounds}"):
                ours, theirs = large.increment(100), small.increment(100)
            changed.append((ours.seconds, theirs.seconds))
            increments.append(ours)
        together = []
        for number in range(1, rounds + 1):
            with console.status(f"transform: {WAITING} waiting batches, round {number} of {rounds}"):
                alone = large.increment(WAITING_ROWS)
                together.append((large.increment(WAITING_ROWS, batches=WAITING), alone.seconds))
        files = [job.files for job in increments]
        console.print(f"A batch of 100 changed rows wrote {min(files)} to {max(files)} files.", highlight=False)
    return [
        Figure("transform", "first batch", "DuckDB on the same files", rows, tuple(first), max(peaks)),
        Figure(
            "transform",
            "100 changed rows",
            f"the same among {SMALL:,}",
            rows,
            tuple(changed),
            max(job.peak for job in increments),
        ),
        Figure(
            "transform",
            f"{WAITING} waiting batches of {WAITING_ROWS} rows",
            "one of them",
            rows,
            tuple((job.seconds, alone) for job, alone in together),
            max(job.peak for job, _ in together),
        ),
    ]


@dataclass(frozen=True, slots=True)
class Job(MeasuredRun):
    """A run of the job, and how many files it published."""

    files: int


class Bench:
    """A lake of `rows` orders, transactions and payments in `directory`, whose first batch waits."""

    def __init__(self, directory: Path, rows: int) -> None:
        self._directory = directory
        self.rows = rows
        directory.mkdir()
        self._home = Home(directory / "home")
        self._home.create()
        self._aws = Aws(self._home)
        self._database = duckdb.connect()
        self._database.execute("set threads = 2")
        self._database.execute("set enable_progress_bar = false")
        self._prepare()
        self._newest = 1
        self._commit(1, {name: (1, self._size(name), 0) for name in ROWS})

    def stop(self) -> None:
        """Stop the emulator."""
        self._aws.stop()

    def first(self) -> Job:
        """Bring the first batch into the lake."""
        return self._job(1, optimise=self.rows >= MANY_ROWS)

    def increment(self, rows: int, *, batches: int = 1) -> Job:
        """Bring batches of changed rows, spread over the whole history, into the lake in one run: orders and payments."""
        for _ in range(batches):
            self._newest += 1
            changed = (self._newest, rows // 2, self._newest)
            self._commit(self._newest, dict.fromkeys(("sales_order", "payment"), changed))
        return self._job(self._newest)

    def _prepare(self) -> None:
        self._environment = {**credentials(), "AWS_ENDPOINT_URL": self._aws.start()}
        endpoint = self._environment["AWS_ENDPOINT_URL"]
        self._s3 = client("s3", endpoint)
        create_lake(self._s3, client("glue", endpoint), NAMES)

    def _size(self, name: str) -> int:
        return self.rows if name in LARGE else SIZES[name]

    def _commit(self, batch: int, tables: dict[str, tuple[int, int, int]]) -> None:
        """Write a batch: for each table the first row, how many, and how often they have changed."""
        extracts = {}
        for name, table in SOURCE_TABLES.items():
            count = self._size(name) if name in ROWS else 0
            checksum = self._one(f"select coalesce(sum({mix_sql('n')}), 0) from range(1, {count + 1}) r(n)")
            parts = self._parts(batch, name, *tables[name]) if name in tables else ()
            extracts[name] = extract_of(table, batch, parts, count, int(checksum))
        put_manifest(Bucket(self._s3, NAMES.ingestion), batch, extracts)

    def _parts(self, batch: int, name: str, first: int, count: int, change: int) -> tuple[Part, ...]:
        """Write rows as COPY would. Of an incremental batch they are spread over all keys."""
        created = CREATED.format(rows=self.rows)
        columns = ROWS[name].format(stamp=STAMP.format(created), created=created, change=change)
        parts = []
        for number, low in enumerate(range(0, count, PART_ROWS), 1):
            high = min(low + PART_ROWS, count)
            step = max(1, (self._size(name) - 60) // count) if batch > 1 else 1
            numbers = f"select {first} + i * {step} as n from range({low}, {high}) r(i)"
            key = f"{name}/extracted_date=2026-11-20/{batch:08d}-bench-{number:04d}.csv"
            path = self._home.s3 / ACCOUNT / NAMES.ingestion / key
            local = self._directory / "part.csv"
            self._database.execute(f"copy (select {columns} from ({numbers})) to '{local}' (header)")
            digest = hashlib.sha256()
            with local.open("rb") as file:
                while block := file.read(2**20):
                    digest.update(block)
            with local.open("rb") as file:
                self._s3.upload_fileobj(file, NAMES.ingestion, key)
            parts.append(Part(key, path.stat().st_size, high - low, digest.hexdigest()))
        return tuple(parts)

    def _one(self, statement: str) -> Any:
        row = self._database.execute(statement).fetchone()
        return row[0] if row else None

    def baseline(self) -> float:
        """Make the first batch's tables with DuckDB; return the seconds that its process took."""
        files = {name: str(self._home.s3 / ACCOUNT / NAMES.ingestion / name / "*" / "*.csv") for name in LARGE}
        return run_duckdb(files, self._directory / "baseline")

    def _job(self, batch: int, *, optimise: bool = False) -> Job:
        run = run_job(self._home, self._environment, NAMES, optimise=optimise)
        processed = Bucket(self._s3, NAMES.processed)
        if newest_publication_number(processed) != batch:
            sys.exit(f"Batch {batch} was not published.")
        files = sum(len(table.files) for table in read_publication(processed, batch).tables.values())
        return Job(run.seconds, run.peak, files)


if __name__ == "__main__":
    main()
