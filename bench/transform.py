"""``make bench-transform``: the job against DuckDB, which makes the same tables in Parquet from the same CSV parts.

A first batch of `--rows` sales orders, with their transactions and payments, then batches of 100 changed rows. Prints wall
times, ratios, the peak memory of all of the job's processes, and how many files an incremental batch reads and writes.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import duckdb
import psutil
from rich.console import Console
from rich.table import Table

from contracts.batch import Manifest, Part, SourceIdentity, TableExtract
from contracts.checksum import mix_sql
from contracts.document import FORMAT
from contracts.layout import manifest_key
from contracts.source import SOURCE_TABLES
from contracts.store import Bucket, newest_publication_number, read_publication
from local.aws import ACCOUNT, REGION, Aws, credentials
from local.home import ROOT, Home
from local.spark import write_spark_defaults
from local.tools import java_home

INGESTION, PROCESSED, DATABASE = "bench-ingestion", "bench-processed", "bench"
#: Rows in a part: about 64 MB of the widest table.
PART_ROWS = 600_000
#: Orders a day in the benchmark's history: every month of it has the same share, however many there are.
MONTHS = 36

STAMP = "strftime({0}, '%Y-%m-%d %H:%M:%S') || case when n % 1000 = 0 then '' else '.' || rtrim(printf('%03d', n % 1000), '0') end"
CREATED = f"make_timestamp(1667260800000000 + (n * {MONTHS} * 30 * 86400 // {{rows}}) * 1000000)"
#: Source table → its columns for row number n, as PostgreSQL's COPY writes them.
ROWS = {
    "sales_order": "n as sales_order_id, {stamp} as created_at, {stamp} as last_updated, n % 10 + 1 as design_id, n % 20 + 1 as staff_id, "
    "n % 20 + 1 as counterparty_id, 1000 + n % 99000 + {change} as units_sold, printf('%.2f', (2 + (n % 200) / 100.0)::double) as unit_price, "
    "n % 3 + 1 as currency_id, strftime({created} + interval 3 day, '%Y-%m-%d') as agreed_delivery_date, "
    "strftime({created} + interval 2 day, '%Y-%m-%d') as agreed_payment_date, n % 30 + 1 as agreed_delivery_location_id",
    "transaction": "n as transaction_id, 'SALE' as transaction_type, n as sales_order_id, null as purchase_order_id, "
    "{stamp} as created_at, {stamp} as last_updated",
    "payment": "n as payment_id, {stamp} as created_at, {stamp} as last_updated, n as transaction_id, n % 20 + 1 as counterparty_id, "
    "printf('%.2f', (1000 + n % 100000 + {change})::double) as payment_amount, n % 3 + 1 as currency_id, 1 as payment_type_id, "
    "case when n % 3 = 0 then 't' else 'f' end as paid, strftime({created} + interval 2 day, '%Y-%m-%d') as payment_date, "
    "12345678 as company_ac_number, 87654321 as counterparty_ac_number",
    "address": "n as address_id, 'Line ' || n as address_line_1, null as address_line_2, '' as district, 'Leeds' as city, '0' || n as "
    "postal_code, 'Mali' as country, '1' as phone, {stamp} as created_at, {stamp} as last_updated",
    "counterparty": "n as counterparty_id, 'O''Keefe, ' || n as counterparty_legal_name, n as legal_address_id, null as commercial_contact, "
    "null as delivery_contact, {stamp} as created_at, {stamp} as last_updated",
    "currency": "n as currency_id, ['GBP', 'USD', 'EUR'][n] as currency_code, {stamp} as created_at, {stamp} as last_updated",
    "department": "n as department_id, 'D' || n as department_name, 'Leeds' as location, null as manager, {stamp} as created_at, {stamp} as "
    "last_updated",
    "design": "n as design_id, {stamp} as created_at, 'Design' as design_name, '/x' as file_location, n || '.json' as file_name, {stamp} as "
    "last_updated",
    "staff": "n as staff_id, 'A' as first_name, 'B' as last_name, n % 8 + 1 as department_id, 'a@b' as email_address, {stamp} as created_at, "
    "{stamp} as last_updated",
    "payment_type": "n as payment_type_id, 'SALES_RECEIPT' as payment_type_name, {stamp} as created_at, {stamp} as last_updated",
}
SIZES = {
    "address": 30,
    "counterparty": 20,
    "currency": 3,
    "department": 8,
    "design": 10,
    "staff": 20,
    "payment_type": 1,
}
LARGE = ("sales_order", "transaction", "payment")

_MOMENTS = """created_at::date as created_date, strftime(created_at, '%H:%M:%S.%g') as created_time,
last_updated::date as last_updated_date, strftime(last_updated, '%H:%M:%S.%g') as last_updated_time"""
#: The same tables, lineage columns and monthly partitions included.
BASELINE = {
    "fact_sales_order": f"""select sales_order_id as sales_record_id, sales_order_id, {_MOMENTS}, staff_id as sales_staff_id,
counterparty_id, units_sold, unit_price::decimal(10,2) as unit_price, currency_id, design_id, agreed_payment_date::date as
agreed_payment_date, agreed_delivery_date::date as agreed_delivery_date, agreed_delivery_location_id from read_csv('{{sales_order}}',
header=true)""",
    "dim_transaction": """select transaction_id, transaction_type, sales_order_id::int as sales_order_id,
purchase_order_id::int as purchase_order_id from read_csv('{transaction}', header=true)""",
    "fact_payment": f"""select payment_id as payment_record_id, payment_id, {_MOMENTS}, transaction_id, counterparty_id,
payment_amount::decimal(10,2) as payment_amount, currency_id, payment_type_id, paid, payment_date::date as payment_date
from read_csv('{{payment}}', header=true)""",
}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--increments", type=int, default=3)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(dir=_scratch()))
    try:
        Bench(directory, options.rows).run(options.increments)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


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
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)  # noqa: S106
        endpoint = self._environment["AWS_ENDPOINT_URL"]
        self._s3 = session.client("s3", endpoint_url=endpoint)
        for bucket in (INGESTION, PROCESSED):
            self._s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        session.client("glue", endpoint_url=endpoint).create_database(
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


def _scratch() -> Path:
    directory = ROOT / "build"
    directory.mkdir(exist_ok=True)
    return directory


if __name__ == "__main__":
    main()
