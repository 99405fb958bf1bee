r"""``make bench-load``: the load against ``psql``'s \copy of the same rows as CSV into an identical table.

Prints wall times, their ratio and the peak memory of the loading process, for a first publication of `--rows` sales
orders and for a publication of 100 further ones. The dimensions are there before, in both. At the end the
loaded warehouse is compared, by ordered dump, with one that was rebuilt from the lake's files, killed once on the way.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from rich.console import Console

from bench.figures import Figure
from bench.processes import client, create_bucket, run, show, sized, tell
from contracts.checksum import mix_sql
from contracts.protocol.bucket import Bucket
from contracts.protocol.listing import LISTED_TABLES, Listing
from contracts.protocol.object_layout import listing_key, publication_key
from contracts.protocol.publication import EMPTY, DataFile, Publication, TablePublication
from contracts.release import FORMAT
from contracts.tables.lake import HISTORIES, LAKE_TABLES
from contracts.tables.star import STAR_TABLES
from lambdas.load.warehouse.ddl import create_star
from lambdas.load.warehouse.naming import Naming
from local.home import ROOT, Home
from local.servers.emulator_process import Aws, credentials
from local.servers.postgres import PostgresServer, binaries
from local.servers.urls import secret_from_url

FACT = "fact_sales_order"
#: Rows of a data file, and of a row group of it: about what the job writes.
FILE_ROWS, GROUP_ROWS = 500_000, 100_000

_DAY = "date '2022-11-03' + (n % 700)::int"
DIMENSIONS = {
    "dim_date": "select date '2022-01-01' + n::int as date_id, 2022 as year, 1 as month, 1 as day, 1 as day_of_week, "
    "'Monday' as day_name, 'January' as month_name, 1 as quarter from range(0, 1461) r(n)",
    "dim_staff": "select n::int as staff_id, 'A' as first_name, 'B' as last_name, 'Sales' as department_name, null::varchar "
    "as location, 'a@b' as email_address from range(1, 21) r(n)",
    "dim_location": "select n::int as location_id, 'x' as address_line_1, null::varchar as address_line_2, null::varchar as "
    "district, 'Leeds' as city, '0' as postal_code, 'Mali' as country, '1' as phone from range(1, 31) r(n)",
    "dim_currency": "select n::int as currency_id, 'GBP' as currency_code, 'Pound' as currency_name from range(1, 4) r(n)",
    "dim_design": "select n::int as design_id, 'x' as design_name, '/x' as file_location, 'x' as file_name from range(1, 474) r(n)",
    "dim_counterparty": "select n::int as counterparty_id, 'x' as counterparty_legal_name, 'x' as "
    "counterparty_legal_address_line_1, null::varchar as counterparty_legal_address_line_2, null::varchar as "
    "counterparty_legal_district, 'x' as counterparty_legal_city, 'x' as counterparty_legal_postal_code, 'x' as "
    "counterparty_legal_country, 'x' as counterparty_legal_phone_number from range(1, 21) r(n)",
}
ORDERS = (
    f"select n as sales_record_id, n::int as sales_order_id, {_DAY} as created_date, printf('%02d:%02d:%02d.%03d', n % 24, n % 60, "
    f"n % 60, n % 1000) as created_time, {_DAY} as last_updated_date, printf('%02d:%02d:%02d.%03d', n % 24, n % 60, n % 60, n % 1000) "
    f"as last_updated_time, (n % 20 + 1)::int as sales_staff_id, (n % 20 + 1)::int as counterparty_id, (1000 + n % 99000)::int as "
    f"units_sold, (2 + (n % 200) / 100.0)::decimal(10,2) as unit_price, (n % 3 + 1)::int as currency_id, (n % 473 + 1)::int as "
    f"design_id, {_DAY} + 2 as agreed_payment_date, {_DAY} + 3 as agreed_delivery_date, (n % 30 + 1)::int as "
    f"agreed_delivery_location_id from range({{low}}, {{high}}) r(n)"
)


def main() -> None:
    """Run the benchmark."""
    parser = sized(__doc__, rounds=2)
    parser.add_argument("--child", choices=("load", "rebuild"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _work_here(options.child)
        return
    show(lambda directory, console: measure(directory, options.rows, options.rounds, console))


def measure(directory: Path, rows: int, rounds: int, console: Console) -> list[Figure]:
    """Load `rows` orders into an empty warehouse, and 100 further ones, `rounds` times; then rebuild it and compare.

    Parameters
    ----------
    directory
        For everything that is written.
    console
        Shows what is going on, and what came of the comparison.
    """
    return Bench(directory, rows).run(rounds, console)


class Bench:
    """One lake of publications in `directory`: dimensions, `rows` orders, and 100 further ones."""

    def __init__(self, directory: Path, rows: int) -> None:
        self._directory = directory
        self._rows = rows
        self._home = Home(directory / "home")
        self._home.create()
        self._aws = Aws(self._home)
        self._server = PostgresServer(directory / "warehouse", password="bench", database="warehouse")  # noqa: S106
        self._database = duckdb.connect()
        self._database.execute("set enable_progress_bar = false")
        self._tables: dict[str, TablePublication] = dict.fromkeys(LAKE_TABLES, EMPTY)

    def run(self, rounds: int, console: Console) -> list[Figure]:
        """Measure."""
        try:
            with console.status(f"generating {self._rows:,} sales orders"):
                self._environment = {**credentials(), "AWS_ENDPOINT_URL": self._aws.start()}
                self._s3 = client("s3", self._environment["AWS_ENDPOINT_URL"])
                for bucket in ("bench-ingestion", "bench-processed"):
                    create_bucket(self._s3, bucket)
                self._server.start()
                self._generate()
            first, further, peaks = [], [], []
            for number in range(1, rounds + 1):
                with console.status(f"load: round {number} of {rounds}"):
                    baseline = self._psql(f"psql_{number}")
                    loaded = self._load(f"load_{number}")
                    if number < rounds:
                        self._drop(f"load_{number}")
                first.append((loaded[0]["seconds"], baseline[0]))
                further.append((loaded[1]["seconds"], baseline[1]))
                peaks.append([one["peak"] for one in loaded])
            with console.status("rebuilding"):
                seconds, is_equal = self._rebuild(f"load_{rounds}")
            console.print(
                f"rebuilt, killed once on the way, in {seconds:.1f} s: {'equal' if is_equal else 'NOT EQUAL'}"
            )
            if not is_equal:
                sys.exit("A rebuilt warehouse must equal a loaded one.")
        finally:
            self._aws.stop()
            self._server.stop()
        peak, peak_further = (max(column) for column in zip(*peaks, strict=True))
        baseline_name = r"psql \copy into the same table"
        return [
            Figure("load", "first rows", baseline_name, self._rows, tuple(first), peak),
            Figure("load", "100 further rows", baseline_name, self._rows, tuple(further), peak_further),
        ]

    def _generate(self) -> None:
        """Write publications 1 and 2, keep 3 for later, and write the orders, and the further ones, as CSV."""
        for name, select in DIMENSIONS.items():
            self._write(name, 1, select, 0)
        self._publish(1)
        for low in range(1, self._rows + 1, FILE_ROWS):
            high = min(low + FILE_ROWS, self._rows + 1)
            self._write(FACT, 2, ORDERS.format(low=low, high=high), low)
        self._publish(2)
        self._orders = self._tables[FACT].files
        orders = ORDERS.format(low=1, high=self._rows + 1)
        further = ORDERS.format(low=self._rows + 1, high=self._rows + 101)
        self._csv = [self._directory / "orders.csv", self._directory / "further.csv"]
        for csv, select in zip(self._csv, (orders, further), strict=True):
            self._database.execute(f"copy ({select}) to '{csv}' (format csv, header)")
        self._write(FACT, 3, further, self._rows + 1)
        self._last = self._publication(3)

    def _write(self, name: str, batch: int, select: str, first: int) -> None:
        """Write one data file and add its figures to the table's."""
        file = self._directory / "part.parquet"
        self._database.execute(
            f"copy (select *, {batch}::int as batch_id from ({select})) to '{file}' (format parquet, compression zstd, "
            f"row_group_size {GROUP_ROWS})"
        )
        key = STAR_TABLES[name].key
        number = f"({key} - date '1970-01-01')" if name == "dim_date" else key
        rows, checksum, lowest, highest = self._one(
            f"select count(*), sum({mix_sql(number)}), min({number}), max({number}) from ({select})"
        )
        path = f"star/{name}/data/{batch}-{first}.parquet"
        size = file.stat().st_size
        self._s3.upload_file(str(file), "bench-processed", path)
        before = self._tables[name]
        is_same = bool(before.files) and f"/{batch}-" in before.files[0].key
        data = DataFile(path, size, rows)
        self._tables[name] = replace(
            before,
            snapshot_id="1",
            files=(*before.files, data) if is_same else (data,),
            inserted=before.inserted + rows if is_same else rows,
            first_record_id=before.first_record_id if is_same else max(first, 1),
            last_record_id=highest,
            current_keys=before.current_keys + rows,
            key_checksum=before.key_checksum + int(checksum),
            lowest_key=min(before.lowest_key, lowest) if before.files else lowest,
            highest_key=highest,
        )

    def _publication(self, batch: int) -> Publication:
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        tables = {
            name: table if table.files and f"/{batch}-" in table.files[0].key else replace(table, files=(), inserted=0)
            for name, table in self._tables.items()
        }
        return Publication(FORMAT, batch, batch, now, now, tables)

    def _publish(self, batch: int) -> None:
        Bucket(self._s3, "bench-processed").put_once(publication_key(batch), self._publication(batch).to_json())

    def _one(self, statement: str) -> Any:
        return self._database.execute(statement).fetchone()

    def _create(self, name: str) -> str:
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            connection.execute(f"create database {name}")
        return self._url(name)

    def _url(self, name: str) -> str:
        return self._server.url.rsplit("/", 1)[0] + f"/{name}"

    def _psql(self, name: str) -> list[float]:
        """Copy the orders, then the further ones, with psql into a table with the same keys, foreign keys and index."""
        url = self._create(name)
        with psycopg.connect(url) as connection:
            for table in STAR_TABLES.values():
                for statement in create_star(Naming("public", "etl"), table):
                    connection.execute(statement)
            for dimension, select in DIMENSIONS.items():
                rows = self._database.execute(select).fetchall()
                marks = ", ".join(["%s"] * len(rows[0]))
                connection.cursor().executemany(f"insert into {dimension} values ({marks})", rows)
        seconds = []
        for csv in self._csv:
            started = time.monotonic()
            command = f"\\copy {FACT} from '{csv}' (format csv, header)"
            subprocess.run([str(binaries() / "psql"), url, "-qc", command], check=True)
            seconds.append(time.monotonic() - started)
        self._drop(name)
        return seconds

    def _load(self, name: str) -> tuple[dict[str, float], dict[str, float]]:
        """Load the dimensions, then, measured, the orders and the 100 further ones, each in a process of its own."""
        variables = self._variables(name)
        command, third = [sys.executable, "-m", "bench.load", "--child", "load"], publication_key(3)
        orders = self._s3.get_object(Bucket="bench-processed", Key=publication_key(2))["Body"].read()
        for key in (publication_key(2), third):
            self._s3.delete_object(Bucket="bench-processed", Key=key)
        run(command, variables)
        self._s3.put_object(Bucket="bench-processed", Key=publication_key(2), Body=orders)
        loaded = run(command, variables)
        self._s3.put_object(Bucket="bench-processed", Key=third, Body=self._last.to_json())
        further = run(command, variables)
        return loaded, further

    def _rebuild(self, loaded: str) -> tuple[float, bool]:
        """Rebuild into another database; return seconds, and whether it equals the loaded one."""
        tables = {name: self._tables[name].files if name in self._tables else () for name in LISTED_TABLES}
        tables[FACT] = self._orders + self._tables[FACT].files
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        listing = Listing(FORMAT, 3, now, now, tables)
        Bucket(self._s3, "bench-processed").put(listing_key(3), listing.to_json())
        variables = self._variables("rebuilt")
        command = [sys.executable, "-m", "bench.load", "--child", "rebuild"]
        first = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables}, stdout=subprocess.DEVNULL)
        with psycopg.connect(self._url("rebuilt"), autocommit=True) as connection:
            while not self._copied(connection):
                time.sleep(0.05)
            first.kill()
            first.wait()
        rebuilt = run(command, variables)
        return rebuilt["seconds"], self._dump(loaded) == self._dump("rebuilt")

    @staticmethod
    def _copied(connection: psycopg.Connection[Any]) -> int:
        """Return how many files of orders a rebuild has copied."""
        if not connection.execute("select to_regclass('etl.rebuild_file') is not null").fetchall()[0][0]:
            return 0
        statement = "select count(*) from etl.rebuild_file where table_name = %s"
        return int(connection.execute(statement, (FACT,)).fetchall()[0][0])

    def _dump(self, name: str) -> str:
        """Return a digest of the rows of every table that a load fills, in order."""
        digest = hashlib.sha256()
        own = ["etl.batch_table", "etl.source_deletion", *(f"etl.{table.name}" for table in HISTORIES.values())]
        with psycopg.connect(self._url(name)) as connection:
            for table in [*STAR_TABLES, *own]:
                with connection.cursor().copy(f"copy (select * from {table} order by 1, 2) to stdout") as copy:
                    for data in copy:
                        digest.update(data)
        return digest.hexdigest()

    def _variables(self, name: str) -> dict[str, str]:
        """Create a database and its secret; return the environment of a load into it."""
        secrets = client("secretsmanager", self._environment["AWS_ENDPOINT_URL"])
        secrets.create_secret(Name=name, SecretString=secret_from_url(self._create(name), "warehouse"))
        return {
            **self._environment,
            "INGESTION_BUCKET": "bench-ingestion",
            "PROCESSED_BUCKET": "bench-processed",
            "WAREHOUSE_SECRET": name,
            "WAREHOUSE_TLS": "prefer",
        }

    def _drop(self, name: str) -> None:
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            connection.execute(f"drop database {name}")


def _work_here(step: str) -> None:
    """Load what is pending, or rebuild, in this process; tell seconds and peak memory."""
    from lambdas.load import run
    from lambdas.load.settings import LoadSettings

    started = time.monotonic()
    if step == "rebuild":
        run.rebuild(LoadSettings(), lambda: 10_000.0)
    else:
        while run.load(LoadSettings(), lambda: 10_000.0).more:
            pass
    tell(seconds=time.monotonic() - started)


if __name__ == "__main__":
    main()
