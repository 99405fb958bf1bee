r"""``make bench-end-to-end``: a source's first batch, from its database into the warehouse, against the plainest way there.

The platform extracts `--rows` sales orders with their transactions and payments, transforms and loads them. The plainest way is
``psql``'s COPY of the three tables to files, DuckDB that makes the same star tables of these files, and ``psql``'s \copy of the
star's rows into identical tables. Both by turns; the warehouse's rows are counted and summed, and compared with the source's.
"""

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from rich.console import Console

from bench.figures import Figure
from bench.job import MANY_ROWS, MeasuredRun, run_duckdb, run_job
from bench.processes import client, run, show, sized
from bench.rows import CREATED, LARGE, ROWS, SIZES, STAMP
from contracts.tables.star import STAR_TABLES
from lambdas.load.warehouse.ddl import create_star
from lambdas.load.warehouse.naming import Naming
from local.home import Home
from local.made_up import LakeNames, create_lake
from local.servers.emulator_process import Aws, credentials
from local.servers.postgres import PostgresServer, binaries
from local.servers.urls import secret_from_url
from local.simulator.business import create_schema

#: What must be the same in the source and in the warehouse: statements for each.
SAME = (
    (
        "select count(*), sum(sales_order_id), sum(units_sold), sum(unit_price) from sales_order",
        "select count(*), sum(sales_order_id), sum(units_sold), sum(unit_price) from fact_sales_order",
    ),
    (
        "select count(*), sum(payment_id), sum(payment_amount) from payment",
        "select count(*), sum(payment_id), sum(payment_amount) from fact_payment",
    ),
    (
        "select count(*), sum(transaction_id), sum(sales_order_id) from transaction",
        "select count(*), sum(transaction_id), sum(sales_order_id) from dim_transaction",
    ),
)
STEPS = ("extract", "transform", "load")


def main() -> None:
    """Run the benchmark."""
    options = sized(__doc__).parse_args()
    show(lambda directory, console: measure(directory, options.rows, options.rounds, console))


def measure(directory: Path, rows: int, rounds: int, console: Console) -> list[Figure]:
    """Bring `rows` orders, transactions and payments from the source into an empty warehouse, `rounds` times.

    Parameters
    ----------
    directory
        For everything that is written.
    console
        Shows what is going on, and what each step took.
    """
    pairs, peaks = [], []
    with ExitStack() as stack:
        with console.status(f"generating {rows:,} rows a table"):
            bench = Bench(directory, rows, stack)
        for number in range(1, rounds + 1):
            with console.status(f"end to end: round {number} of {rounds}"):
                ours = bench.platform(number)
                theirs = bench.plainly(number)
            for name, one, other in zip(STEPS, ours, theirs, strict=True):
                console.print(
                    f"{name}: {one.seconds:.1f} s, {one.peak:.0f} MiB; plainly {other:.1f} s", highlight=False
                )
            pairs.append((sum(one.seconds for one in ours), sum(theirs)))
            peaks.append(max(one.peak for one in ours))
    baseline = r"psql COPY, DuckDB and psql \copy"
    return [Figure("end to end", "first batch", baseline, rows, tuple(pairs), max(peaks))]


class Bench:
    """A source of `rows` orders, transactions and payments, and a server for warehouses; `stack` stops what is started."""

    def __init__(self, directory: Path, rows: int, stack: ExitStack) -> None:
        self._directory, self._rows = directory, rows
        self._home = Home(directory / "home")
        self._home.create()
        aws = Aws(self._home)
        self._source = PostgresServer(directory / "source", password="bench", database="source")  # noqa: S106
        self._warehouse = PostgresServer(directory / "warehouse", password="bench", database="warehouse")  # noqa: S106
        for server in (self._source, self._warehouse):
            stack.callback(server.stop)
            server.start()
        stack.callback(aws.stop)
        self._environment = {**credentials(), "AWS_ENDPOINT_URL": aws.start()}
        self._secrets = client("secretsmanager", self._environment["AWS_ENDPOINT_URL"])
        self._secrets.create_secret(Name="source", SecretString=secret_from_url(self._source.url, "source"))
        self._fill()

    def _fill(self) -> None:
        """Write the source's rows, without a look at its foreign keys."""
        created = CREATED.format(rows=self._rows)
        file = self._directory / "rows.csv"
        with psycopg.connect(self._source.url) as connection, duckdb.connect() as database:
            database.execute("set enable_progress_bar = false")
            create_schema(connection)
            connection.execute("set session_replication_role = replica")
            for name, columns in ROWS.items():
                size = self._rows if name in LARGE else SIZES[name]
                select = columns.format(stamp=STAMP.format(created), created=created, change=0)
                database.execute(f"copy (select {select} from range(1, {size} + 1) r(n)) to '{file}' (header)")
                with file.open("rb") as rows, connection.cursor().copy(_copy(name, file)) as copy:
                    while block := rows.read(2**20):
                        copy.write(block)
        with psycopg.connect(self._source.url, autocommit=True) as connection:
            connection.execute("vacuum (analyze)")
        file.unlink()

    def platform(self, number: int) -> list[MeasuredRun]:
        """Extract, transform and load, in processes of their own; compare what has arrived with the source."""
        names = LakeNames(f"ingestion-{number}", f"processed-{number}", f"bench_{number}")
        endpoint = self._environment["AWS_ENDPOINT_URL"]
        create_lake(client("s3", endpoint), client("glue", endpoint), names)
        url = self._create(f"load_{number}")
        self._secrets.create_secret(Name=f"warehouse-{number}", SecretString=secret_from_url(url, "warehouse"))
        variables = {
            **self._environment,
            "INGESTION_BUCKET": names.ingestion,
            "PROCESSED_BUCKET": names.processed,
            "SOURCE_SECRET": "source",
            "SOURCE_TLS": "prefer",
            "COMPRESS_PARTS": "true",
            "WAREHOUSE_SECRET": f"warehouse-{number}",
            "WAREHOUSE_TLS": "prefer",
        }
        extracted = run([sys.executable, "-m", "bench.extract", "--child"], variables)
        job = run_job(self._home, self._environment, names, optimise=self._rows >= MANY_ROWS)
        loaded = run([sys.executable, "-m", "bench.load", "--child", "load"], variables)
        for source, warehouse in SAME:
            if (theirs := _one(self._source.url, source)) != (ours := _one(url, warehouse)):
                sys.exit(f"{warehouse}: {ours}, but the source has {theirs}")
        return [
            MeasuredRun(extracted["seconds"], extracted["peak"]),
            job,
            MeasuredRun(loaded["seconds"], loaded["peak"]),
        ]

    def plainly(self, number: int) -> list[float]:
        r"""Return the seconds of the plainest way: COPY to files, DuckDB, and \copy of the star's rows."""
        started = time.monotonic()
        files = {name: self._directory / f"{name}.csv" for name in LARGE}
        for name, file in files.items():
            self._psql(self._source.url, f"copy {name} to stdout (format csv, header)", "-o", str(file))
        copied = time.monotonic() - started
        out = self._directory / f"duckdb-{number}"
        made = run_duckdb({name: str(file) for name, file in files.items()}, out)
        return [copied, made, self._copy_star(number)]

    def _copy_star(self, number: int) -> float:
        """Copy what was loaded to files, unmeasured, and from there into identical tables; return the seconds of the latter."""
        loaded, url = self._url(f"load_{number}"), self._create(f"copied_{number}")
        with psycopg.connect(url) as connection:
            for table in STAR_TABLES.values():
                for statement in create_star(Naming("public", "etl"), table):
                    connection.execute(statement)
        seconds, file = 0.0, self._directory / "star.csv"
        for name in STAR_TABLES:
            self._psql(loaded, f"copy {name} to stdout (format csv, header)", "-o", str(file))
            started = time.monotonic()
            self._psql(url, f"\\copy {name} from '{file}' (format csv, header)")
            seconds += time.monotonic() - started
        for name in (f"load_{number}", f"copied_{number}"):
            self._administer(f"drop database {name}")
        return seconds

    def _psql(self, url: str, command: str, *options: str) -> None:
        subprocess.run([str(binaries() / "psql"), url, "-qc", command, *options], check=True)

    def _create(self, name: str) -> str:
        self._administer(f"create database {name}")
        return self._url(name)

    def _url(self, name: str) -> str:
        return self._warehouse.url.rsplit("/", 1)[0] + f"/{name}"

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self._warehouse.url, autocommit=True) as connection:
            connection.execute(statement)


def _copy(name: str, file: Path) -> str:
    with file.open() as rows:
        return f"copy {name} ({rows.readline().strip()}) from stdin (format csv, header)"


def _one(url: str, statement: str) -> Any:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchone()


if __name__ == "__main__":
    main()
