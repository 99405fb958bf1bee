"""``make bench-extract``: the extraction against ``psql``'s COPY of the same rows to a file, alternating.

Prints wall times, their ratio and the peak memory of the extracting process, for a first batch of
`--rows` sales orders and for a batch of 100 changed rows among them; and for how long a command that changes the schema
waits when it comes while all rows are read.
"""

import argparse
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from bench.processes import client, create_bucket, run, scratch, tell
from local.home import ROOT, Home
from local.servers.emulator_process import Aws, credentials
from local.servers.postgres import PostgresServer, binaries
from local.servers.urls import secret_from_url
from local.simulator.business import create_schema, seed

GENERATE = """
insert into sales_order (created_at, last_updated, design_id, staff_id, counterparty_id, units_sold, unit_price, currency_id,
    agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id)
select t, t, n %% 10 + 1, n %% 20 + 1, n %% 20 + 1, 1000 + n %% 99000, 2 + (n %% 200) / 100.0, n %% 3 + 1,
    to_char(t + interval '3 days', 'YYYY-MM-DD'), to_char(t + interval '2 days', 'YYYY-MM-DD'), n %% 30 + 1
from (select n, timestamp '2022-11-04 08:00' + n * interval '37 milliseconds' as t from generate_series(1, %s) n) numbers
"""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dlt", type=Path, help="Python of an environment that has dlt")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _extract_here()
        return
    with scratch() as directory:
        _measure(directory, options.rows, options.rounds, options.dlt)


def _measure(directory: Path, rows: int, rounds: int, dlt: Path | None) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)
    home = Home(directory / "home")
    home.create()
    aws, server = Aws(home), PostgresServer(directory / "source", password="bench", database="source")  # noqa: S106
    try:
        with console.status(f"generating {rows:,} sales orders"):
            environment = {**credentials(), "AWS_ENDPOINT_URL": aws.start()}
            server.start()
            with psycopg.connect(server.url) as connection:
                create_schema(connection)
                seed(connection, days=3)
                connection.execute(GENERATE, (rows,))
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute("vacuum (analyze)")
        table = Table(title=f"{rows:,} sales orders", title_justify="left")
        names = ["extraction, gzip parts", *(["dlt, gzip files"] if dlt else [])]
        for column in ("round", "psql COPY to a file", *(c for name in names for c in (name, "ratio", "peak memory"))):
            table.add_column(column, justify="right")
        for number in range(1, rounds + 1):
            with console.status(f"round {number}"):
                baseline = _psql(server.url, directory / "copy.csv")
                variables = _prepare(server.url, environment, number)
                measured = [_child(variables)]
                if dlt:
                    measured.append(_dlt(dlt, server.url, directory))
                table.add_row(
                    str(number), f"{baseline:.2f} s", *(cell for m in measured for cell in _cells(baseline, m))
                )
        console.print(table)
        _incremental(console, server.url, variables)
        _waiting(console, server.url, _prepare(server.url, environment, rounds + 1))
    finally:
        aws.stop()
        server.stop()


def _incremental(console: Console, url: str, variables: dict[str, str]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("update sales_order set staff_id = staff_id %% 20 + 1 where sales_order_id <= %s", (100,))
        started = time.monotonic()
        connection.execute("select count(*) from sales_order")
        counting = time.monotonic() - started
    changed = _child(variables)
    console.print(
        f"100 changed rows: {changed['seconds']:.2f} s, {changed['rows']} rows read; select count(*) took {counting:.2f} s "
        f"(limit 3 x that + 1 s = {3 * counting + 1:.2f} s)",
        highlight=False,
    )


def _waiting(console: Console, url: str, variables: dict[str, str]) -> None:
    """Alter the table while it is read."""
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(_child, variables)
        with psycopg.connect(url, autocommit=True) as connection:
            is_read = (
                "select count(*) from pg_stat_activity where query like 'copy%%sales_order%%' and state = 'active'"
            )
            while connection.execute(is_read).fetchone() == (0,) and not reading.done():
                time.sleep(0.05)
            started = time.monotonic()
            connection.execute("alter table sales_order add column note text")
            waited = time.monotonic() - started
        seconds = reading.result()["seconds"]
    console.print(
        f"A command that changes the schema waited {waited:.2f} s for a reading, which gave way after {seconds:.2f} s",
        highlight=False,
    )


def _psql(url: str, file: Path) -> float:
    started = time.monotonic()
    command = [str(binaries() / "psql"), url, "-qc", "copy sales_order to stdout (format csv, header)", "-o", str(file)]
    subprocess.run(command, check=True)
    seconds = time.monotonic() - started
    file.unlink()
    return seconds


def _prepare(url: str, environment: dict[str, str], number: int) -> dict[str, str]:
    """Make a bucket and a secret for one round."""
    endpoint = environment["AWS_ENDPOINT_URL"]
    bucket, secret = f"bench-{number}", f"bench-{number}"
    create_bucket(client("s3", endpoint), bucket)
    client("secretsmanager", endpoint).create_secret(Name=secret, SecretString=secret_from_url(url, "source"))
    return {
        **environment,
        "INGESTION_BUCKET": bucket,
        "PROCESSED_BUCKET": bucket,
        "SOURCE_SECRET": secret,
        "SOURCE_TLS": "prefer",
        "COMPRESS_PARTS": "true",
    }


def _child(variables: dict[str, str]) -> dict[str, float]:
    return run([sys.executable, "-m", "bench.extract", "--child"], variables)


def _dlt(python: Path, url: str, directory: Path) -> dict[str, float]:
    scratch = directory / "dlt"
    scratch.mkdir()
    script = str(ROOT / "bench" / "dlt_baseline.py")
    try:
        return run(
            [str(python), script, url, str(scratch)], {"RUNTIME__DLTHUB_TELEMETRY": "false", "HOME": str(scratch)}
        )
    finally:
        shutil.rmtree(scratch)


def _extract_here() -> None:
    """Extract once in this process and print seconds, rows and peak memory in MiB."""
    from lambdas.extract.run import extract
    from lambdas.extract.settings import ExtractSettings

    started = time.monotonic()
    outcome = extract(ExtractSettings())
    seconds = time.monotonic() - started
    tell(seconds=seconds, rows=outcome.rows.get("sales_order", 0))


def _cells(baseline: float, measured: dict[str, float]) -> list[str]:
    ratio = measured["seconds"] / baseline
    return [f"{measured['seconds']:.2f} s", f"{ratio:.2f}", f"{measured['peak']:.0f} MiB"]


if __name__ == "__main__":
    main()
