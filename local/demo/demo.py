"""The demonstration: a business day goes through the platform, and what came out is proved."""

import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from local import batches
from local.dashboard.file import INDEX, write_dashboard
from local.demo import oracle
from local.home import Home
from local.platform import Options, destroy, up
from local.query import query
from local.servers.emulator_process import client
from local.simulator.day import business_day

#: What the demonstration watches: one order changed twice, and one that commits late.
TWICE = 7


class Demo:
    """One run of the demonstration.

    Parameters
    ----------
    home
        Where the platform lives meanwhile; removed at the end.
    console
        Where the story is told.
    """

    def __init__(self, home: Home, console: Console) -> None:
        self._home = home
        self._console = console
        self._platform: dict[str, str] = {}
        self.batches: list[dict[str, Any]] = []
        self.proofs: dict[str, bool] = {}
        self.notes: dict[str, str] = {}

    def run(self) -> None:
        """Tell the story; the proofs are kept in `proofs`."""
        with self._console.status("starting") as status:
            self._platform = up(self._home, Options(), lambda message: status.update(message))
        self._say("The platform is up: two PostgreSQL servers and the deployed CDK app on 127.0.0.1.")
        self._batch("everything, the first time")
        with self._source() as connection:
            happened = business_day(connection)
            connection.execute(
                "update sales_order set staff_id = staff_id %% 20 + 1 where sales_order_id = %s", (TWICE,)
            )
        self._say(
            f"A business day: {happened['sales']} sales, {happened['purchases']} purchases, {happened['paid']} payments made, "
            f"{happened['silent'] + 1} rows changed without their last_updated moving."
        )
        with psycopg.connect(self._platform["source_url"]) as late:
            order = _insert_order(late)
            self._say(f"Sales order {order} was stamped, but its transaction stays open.")
            self._batch("a business day")
            self._silent_update()
            missing_before = not self._warehouse("select 1 from fact_sales_order where sales_order_id = %s", order)
            late.commit()
        with self._source() as connection:
            connection.execute(
                "update sales_order set agreed_delivery_location_id = agreed_delivery_location_id %% 30 + 1 "
                "where sales_order_id = %s",
                (TWICE,),
            )
        self._say(f"The open transaction of order {order} committed, and order {TWICE} changed a second time.")
        self._batch("a late commit")
        self.proofs["late_commit_arrived"] = missing_before and bool(
            self._warehouse("select 1 from fact_sales_order where sales_order_id = %s", order)
        )
        self._history()
        self._equality()
        self._reruns()

    def report(self) -> dict[str, Any]:
        """Return the report that is written to ``report.json``."""
        return {"batches": self.batches, "proofs": self.proofs, "notes": self.notes}

    def show(self) -> None:
        """Print what happened as tables."""
        table = Table(title="Batches", title_justify="left")
        for column in ("batch", "why", "rows read", "inserted", "updated", "extract", "transform", "load", "total"):
            table.add_column(column, justify="left" if column == "why" else "right")
        for batch in self.batches:
            stars = [t for name, t in batch["tables"].items() if name.startswith(("dim_", "fact_"))]
            seconds = [f"{batch['seconds'].get(stage, 0):.1f} s" for stage in ("extract", "transform", "load", "total")]
            sums = [f"{sum(t[what] for t in stars):,}" for what in ("rows_read", "inserted", "updated")]
            table.add_row(str(batch["batch"]), batch["story"], *sums, *seconds)
        self._console.print(table)
        proofs = Table(title="Proofs", title_justify="left", show_header=False)
        for name, held in self.proofs.items():
            text = self.notes.get(name, "")
            proofs.add_row("[green]held[/]" if held else "[red]FAILED[/]", name.replace("_", " "), text)
        self._console.print(proofs)

    def _batch(self, story: str) -> None:
        with self._console.status(f"moving a batch: {story}"):
            outcome = batches.move_batch(self._platform)
        self.batches.append({"story": story, **outcome})
        rows = sum(t["rows_read"] for name, t in outcome["tables"].items() if name.startswith(("dim_", "fact_")))
        self._say(f"Batch {outcome['batch']} ({story}): {rows:,} rows in {outcome['seconds']['total']:.1f} s.")

    def _silent_update(self) -> None:
        statement = "select staff_id, last_updated from sales_order where sales_order_id = %s"
        staff, stamp = self._rows("source_url", statement, TWICE)[0]
        statement = "select sales_staff_id, last_updated_date + last_updated_time from current_sales_order where sales_order_id = %s"
        self.proofs["silent_update_arrived"] = self._warehouse(statement, TWICE) == [(staff, stamp)]

    def _history(self) -> None:
        statement = (
            "select valid_from, valid_to, is_current from history_sales_order where sales_order_id = %s order by 1"
        )
        versions = self._warehouse(statement, TWICE)
        contiguous = all(a[1] == b[0] for a, b in pairwise(versions))
        in_lake = query(self._platform, f"select count(*) as n from fact_sales_order where sales_order_id = {TWICE}")
        current = [v[2] for v in versions]
        self.proofs["history_kept"] = (
            len(versions) == 3 and contiguous and current == [False, False, True] and int(in_lake["n"].iloc[0]) == 3
        )
        self.notes["history_kept"] = f"order {TWICE} changed twice has {len(versions)} records"

    def _equality(self) -> None:
        with self._console.status("comparing source, warehouse and lake row for row"):
            expected = oracle.source_rows(self._platform["source_url"])
            for name, found in (
                (
                    "warehouse",
                    oracle.warehouse_rows(self._platform["warehouse_url"], ledger=self._platform["ledger_schema"]),
                ),
                ("lake", oracle.lake_rows(self._platform)),
            ):
                wrong = oracle.differences(expected, found)
                self.proofs[f"source_equals_{name}"] = not wrong
                rows = sum(map(len, expected.values()))
                self.notes[f"source_equals_{name}"] = (
                    "; ".join(f"{t}: {w}" for t, w in wrong.items()) or f"{rows:,} rows"
                )

    def _reruns(self) -> None:
        """Send every old event again: nothing may change anywhere, and no job may run."""
        before, runs = self._fingerprint(), self._job_runs()
        with self._console.status("sending old events again"):
            quiet = batches.move_batch(self._platform)
            batches.invoke(self._platform, self._platform["load_function"], {"step": "load"})
            machine = client(self._platform, "stepfunctions")
            for execution in machine.list_executions(stateMachineArn=self._platform["state_machine"])["executions"]:
                event = machine.describe_execution(executionArn=execution["executionArn"])["input"]
                again = machine.start_execution(stateMachineArn=self._platform["state_machine"], input=event)
                batches.wait_for(self._platform, again["executionArn"])
        self.proofs["rerun_changes_nothing"] = self._fingerprint() == before
        self.proofs["quiet_source_starts_no_job"] = quiet["batch"] is None and self._job_runs() == runs

    def _fingerprint(self) -> list[Any]:
        """Return something that changes when any row of warehouse, ledger or lake does."""
        ledger = self._platform["ledger_schema"]
        tables = [*oracle.ORACLE, "dim_date", f"{ledger}.batch", f"{ledger}.batch_table"]
        statement = "select count(*), sum(hashtextextended(t::text, 0)) from {} t"
        found: list[Any] = [self._warehouse(statement.format(table)) for table in tables]
        glue = client(self._platform, "glue")
        for table in (*oracle.ORACLE, "dim_date"):
            definition = glue.get_table(DatabaseName=self._platform["database"], Name=table)["Table"]
            found.append(definition["Parameters"]["metadata_location"])
        return found

    def _job_runs(self) -> int:
        return len(client(self._platform, "glue").get_job_runs(JobName=self._platform["transform_job"])["JobRuns"])

    def _warehouse(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._rows("warehouse_url", statement, *parameters)

    def _rows(self, database: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._platform[database]) as connection:
            return connection.execute(statement, parameters or None).fetchall()

    def _source(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._platform["source_url"])

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False)


def run_demo(directory: Path, console: Console) -> bool:
    """Run the demonstration, write ``report.json`` and ``dashboard/`` into `directory`, and take everything down.

    Returns
    -------
    bool
        Whether every proof held.
    """
    home = Home(directory / "home")
    started = time.monotonic()
    destroy(home, _nothing)  # what an interrupted run may have left
    demo = Demo(home, console)
    try:
        demo.run()
    finally:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "report.json").write_text(json.dumps(demo.report(), indent=2) + "\n", "utf-8")
        demo.show()
        dashboard = _dashboard(home, directory / "dashboard", console) if demo.batches else ""
        with console.status("taking everything down"):
            destroy(home, _nothing)
    console.print(
        f"{time.monotonic() - started:.0f} s; report: {directory / 'report.json'}{dashboard}",
        highlight=False,
        soft_wrap=True,
    )
    return bool(demo.proofs) and all(demo.proofs.values())


def _dashboard(home: Home, directory: Path, console: Console) -> str:
    """Write the dashboard of what the demonstration did; return where it lies. What it proves does not hang on a picture."""
    with console.status("drawing the dashboard"):
        try:
            write_dashboard(home, directory)
        except Exception as error:
            text = (str(error) or type(error).__name__).splitlines()[0]
            console.print(f"The dashboard is not complete: {text}", style="yellow", highlight=False, markup=False)
    index = directory / INDEX
    return f"; dashboard: {index}" if index.exists() else ""


def _insert_order(connection: psycopg.Connection[Any]) -> int:
    """Insert a sale, stamped now, with its transaction and payment; do not commit."""
    row = connection.execute(
        "insert into sales_order (created_at, last_updated, design_id, staff_id, counterparty_id, units_sold, unit_price, "
        "currency_id, agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id) "
        "select max(last_updated), max(last_updated), 1, 1, 1, 1000, 2.5, 1, '2024-12-01', '2024-12-01', 1 from sales_order "
        "returning sales_order_id"
    ).fetchone()
    order = int(row[0]) if row else 0
    connection.execute(
        "with t as (insert into transaction (transaction_type, sales_order_id, created_at, last_updated) "
        "select 'SALE', sales_order_id, created_at, created_at from sales_order where sales_order_id = %s returning *) "
        "insert into payment (created_at, last_updated, transaction_id, counterparty_id, payment_amount, currency_id, "
        "payment_type_id, paid, payment_date, company_ac_number, counterparty_ac_number) "
        "select created_at, created_at, transaction_id, 1, 2500, 1, 1, false, '2024-12-01', 12345678, 87654321 from t",
        (order,),
    )
    return order


_nothing: Callable[[str], None] = lambda message: None  # noqa: E731
