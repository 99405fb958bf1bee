"""``make bench-extract``: the extraction against ``psql``'s COPY of the same rows to a file, alternating.

Prints wall times, their ratio and the peak memory of the extracting process, for a first batch of
`--rows` sales orders and for a batch of 100 changed rows among them, against ``select count(*)``; and for how long a command that
changes the schema waits when it comes while all rows are read.
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

from bench.figures import Figure
from bench.processes import client, create_bucket, run, show, sized, tell
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
    parser = sized(__doc__)
    parser.add_argument("--dlt", type=Path, help="Python of an environment that has dlt")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _extract_here()
        return
    show(lambda directory, console: measure(directory, options.rows, options.rounds, console, options.dlt))


def measure(directory: Path, rows: int, rounds: int, console: Console, dlt: Path | None = None) -> list[Figure]:
    """Extract all of `rows` orders, and 100 changed ones, `rounds` times; and alter the table while it is read.

    Parameters
    ----------
    directory
        For everything that is written.
    console
        Shows what is going on, and for how long the command that alters the table waits.
    dlt
        Python of an environment that has dlt, to compare with it too.
    """
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
        pairs: dict[str, list[tuple[float, float]]] = {"psql COPY to a file": []}
        changed: list[tuple[float, float]] = []
        peak = peak_changed = 0.0
        for number in range(1, rounds + 1):
            with console.status(f"extract: round {number} of {rounds}"):
                baseline = _psql(server.url, directory / "copy.csv")
                variables = _prepare(server.url, environment, number)
                all_rows = _child(variables)
                pairs["psql COPY to a file"].append((all_rows["seconds"], baseline))
                if dlt:
                    other = _dlt(dlt, server.url, directory)
                    pairs.setdefault("dlt, gzip files", []).append((all_rows["seconds"], other["seconds"]))
                some, counting = _changed(server.url, variables, number)
                changed.append((some["seconds"], counting))
                peak, peak_changed = max(peak, all_rows["peak"]), max(peak_changed, some["peak"])
        _waiting(console, server.url, _prepare(server.url, environment, rounds + 1))
    finally:
        aws.stop()
        server.stop()
    return [
        *(Figure("extract", "first batch", name, rows, tuple(those), peak) for name, those in pairs.items()),
        Figure("extract", "100 changed rows", "select count(*)", rows, tuple(changed), peak_changed),
    ]


def _changed(url: str, variables: dict[str, str], number: int) -> tuple[dict[str, float], float]:
    """Change 100 rows and extract them; return its figures, and the seconds that counting the table takes."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "update sales_order set staff_id = staff_id %% 20 + 1 where sales_order_id between %s and %s",
            (100 * number - 99, 100 * number),
        )
        started = time.monotonic()
        connection.execute("select count(*) from sales_order")
        counting = time.monotonic() - started
    changed = _child(variables)
    if changed["rows"] != 100:
        sys.exit(f"100 rows were changed, and {changed['rows']:.0f} extracted")
    return changed, counting


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


if __name__ == "__main__":
    main()
