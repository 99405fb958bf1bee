"""Command line of the local platform: ``python -m local <command>``."""

import contextlib
import errno
import json
import re
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from contracts.protocol.steps import COLUMNS, FROM, INTO, MODE, TO, Mode
from local.errors import LocalError
from local.home import ROOT, Home

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(stderr=True)
out = Console(width=None if sys.stdout.isatty() else 120)

HomeOption = Annotated[Path, typer.Option("--home", help="Directory of the platform.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_HOME = ROOT / ".local"
#: Exit code of a command that Ctrl-C ended.
INTERRUPTED = 130
Format = Annotated[str, typer.Option("--format", help="table, csv or json.")]


@app.command()
def up(
    home: HomeOption = DEFAULT_HOME,
    source: Annotated[str | None, typer.Option(help="Source database as a libpq URI; nothing is seeded.")] = None,
    warehouse: Annotated[str | None, typer.Option(help="Warehouse database as a libpq URI.")] = None,
    scale: Annotated[
        str | None,
        typer.Option(help="Business in an embedded source: days (730 or 730days), or orders (100000orders)."),
    ] = None,
    warehouse_schema: Annotated[str | None, typer.Option(help="Schema of the star tables; public unless set.")] = None,
    warehouse_purchase_orders: Annotated[
        str | None, typer.Option(help="What the warehouse calls its purchase orders: fact_purchase_orders unless set.")
    ] = None,
    ledger_schema: Annotated[
        str | None,
        typer.Option(help="Schema of the platform's own tables; etl, or etl_ and the warehouse's schema, unless set."),
    ] = None,
    schedules: Annotated[
        bool | None,
        typer.Option(
            "--schedules/--no-schedules", help="Whether the schedules fire; as before, and at first they do not."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A setting of cdk_app/settings.py; several times for several."
        ),
    ] = None,
) -> None:
    """Start the databases and the emulator, and deploy the CDK app."""
    from local.platform import Options, Scale, check_databases
    from local.platform import up as bring_up
    from local.typed import parse_scale, parse_settings

    size = parse_scale(scale) if scale else Scale()
    options = Options(
        source,
        warehouse,
        warehouse_schema,
        warehouse_purchase_orders,
        ledger_schema,
        size,
        schedules,
        parse_settings(settings or []),
    )
    place = Home(home)
    check_databases(options)
    with place.exclusive(), console.status("starting") as status:
        try:
            platform = bring_up(place, options, lambda message: status.update(message))
        except BaseException:
            from local.platform import down as take_down

            status.update("stopping what was started")
            take_down(place)
            raise
    out.print(f"The platform is up: {place.platform_file}", highlight=False, soft_wrap=True)
    out.print(f"endpoint {platform['endpoint']}", highlight=False)
    if place.state().get("schedules_enabled"):
        out.print("The schedules fire: python -m local status shows when.", highlight=False)


@app.command()
def batch(
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
    read: Annotated[
        str | None, typer.Option(help="What is read whole: everything, or tables (staff,design); else what changed.")
    ] = None,
) -> None:
    """Move one batch, as the schedule does, and wait until it is loaded."""
    from local.batches import move_batch
    from local.typed import parse_read

    with _status("moving a batch", as_json):
        outcome = move_batch(Home(home).platform(), parse_read(read) if read else None)
    if as_json:
        print(json.dumps(outcome))
    elif outcome["batch"] is None:
        out.print(f"No batch: {outcome['reason']}", highlight=False)
    else:
        table = Table(title=f"Batch {outcome['batch']}", title_justify="left")
        for column in ("table", "rows read", "inserted", "updated"):
            table.add_column(column, justify="left" if column == "table" else "right")
        for name, figures in outcome["tables"].items():
            if name.startswith(("dim_", "fact_")):
                table.add_row(name, *(f"{figures[key]:,}" for key in ("rows_read", "inserted", "updated")))
        out.print(table)
        out.print(
            ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in outcome["seconds"].items()), highlight=False
        )


@app.command()
def status(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Show the newest batch, publication and load, freshness, schedules, alarms and the last error."""
    from local.status import status as read_status

    found = read_status(Home(home).platform())
    if as_json:
        print(json.dumps(found))
        return
    table = Table(show_header=False)
    for name in ("batch", "publication", "load"):
        table.add_row(f"newest {name}", str(found[name]))
    table.add_row("freshness", f"{found['freshness']:.0f} s")
    table.add_row("schedules", _schedule_lines(found["schedules"]))
    table.add_row("alarms", "\n".join(f"{name}: {state}" for name, state in found["alarms"].items()))
    error = found["last_error"]
    table.add_row("last error", f"{error['at']} {error['where']}: {error['message']}" if error else "none")
    out.print(table)


@app.command()
def query(
    statement: Annotated[str, typer.Argument(metavar="SQL", help="For Athena.")],
    home: HomeOption = DEFAULT_HOME,
    format: Format = "table",
    database: Annotated[
        str | None, typer.Option(help="Another database than the lake's, for example the raw one.")
    ] = None,
) -> None:
    """Query the lake through Athena."""
    from local.query import print_frame
    from local.query import query as run_query

    if format not in ("table", "csv", "json"):
        raise LocalError(f"--format {format} is not known: use table, csv or json.")
    frame = run_query(Home(home).platform(), statement, database)
    if format == "csv":
        print(frame.to_csv(index=False), end="")
    elif format == "json":
        print(frame.to_json(orient="records", date_format="iso", default_handler=str))
    else:
        print_frame(frame)


@app.command()
def simulate(
    days: Annotated[int | None, typer.Option(min=1, help="Business days; 1 unless set.")] = None,
    home: HomeOption = DEFAULT_HOME,
    live: Annotated[
        bool, typer.Option("--live", help="Go on until Ctrl-C; move batches, unless the schedules do it.")
    ] = False,
    per_minute: Annotated[
        int | None, typer.Option(min=1, max=1200, help="With --live: orders and changes a minute; 30 unless set.")
    ] = None,
) -> None:
    """Let business happen in the embedded source."""
    import psycopg

    from local.live import live as go_on
    from local.simulator.day import business_day

    if live and days is not None:
        raise LocalError("--live goes on until Ctrl-C: leave out --days.")
    if per_minute is not None and not live:
        raise LocalError("--per-minute says how fast --live goes: add --live.")
    place = Home(home)
    platform = place.platform()
    if place.state().get("source"):
        raise LocalError(
            "The source of this platform is not ours: --source was given. Only an embedded one is simulated."
        )
    if live:
        out.print("Business goes on, and batches with it, until Ctrl-C.", highlight=False)
        go_on(platform, per_minute or 30, lambda text: out.print(text, highlight=False, soft_wrap=True))
        return
    with psycopg.connect(platform["source_url"]) as connection:
        for _ in range(days or 1):
            happened = business_day(connection)
            connection.commit()
            out.print(", ".join(f"{count} {what}" for what, count in happened.items()), highlight=False)


@app.command()
def maintain(home: HomeOption = DEFAULT_HOME) -> None:
    """Compact and expire the lake's files, as the weekly schedule does."""
    from local.batches import run_machine

    with _status("maintaining the lake", quiet=False):
        run_machine(Home(home).platform(), {MODE: Mode.MAINTAIN})
    out.print("The lake's files are compacted; snapshots past their days are gone.")


@app.command()
def replay(
    first: Annotated[int, typer.Option("--from", min=1, help="First batch.")],
    last: Annotated[int, typer.Option("--to", min=1, help="Last batch.")],
    into: Annotated[str, typer.Option(help="Database beside the lake's: totesys_replay, or a name that begins so.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Transform a range of batches into another database, for comparison; run it again to go on."""
    from local.batches import run_machine

    with _status("replaying", quiet=False):
        run_machine(Home(home).platform(), {FROM: first, TO: last, INTO: into})
    out.print(f"Batches {first} to {last} are in {into}; query them with --database {into}.", highlight=False)


@app.command()
def rebuild(
    home: HomeOption = DEFAULT_HOME,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Also when the warehouse belongs to another lake, or is ahead of this.")
    ] = False,
) -> None:
    """Make the warehouse anew from the lake; readers see the old content until the new one is complete."""
    from local.batches import loaded_batch, run_machine

    platform = Home(home).platform()
    with _status("rebuilding the warehouse", quiet=False):
        run_machine(platform, {MODE: Mode.TAKE_OVER if take_over else Mode.REBUILD})
    out.print(f"The warehouse is rebuilt and shows batch {loaded_batch(platform)}.", highlight=False)


@app.command()
def drop_columns(
    columns: Annotated[list[str], typer.Argument(help="table.column, which the contract has given up.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Drop columns that the contract has given up from lake and warehouse."""
    from local.batches import run_machine

    with _status("dropping", quiet=False):
        run_machine(Home(home).platform(), {MODE: Mode.DROP_COLUMNS, COLUMNS: ",".join(columns)})
    out.print(f"Lake and warehouse have {', '.join(columns)} no more.", highlight=False)


@app.command()
def down(home: HomeOption = DEFAULT_HOME) -> None:
    """Stop everything cleanly and keep the data."""
    from local.platform import down as take_down

    place = Home(home)
    if place.directory.exists():
        with place.exclusive(), console.status("stopping"):
            take_down(place)


@app.command()
def destroy(home: HomeOption = DEFAULT_HOME) -> None:
    """Destroy the stacks with the CDK CLI, stop everything and remove the directory."""
    from local.platform import destroy as tear_down

    place = Home(home)
    if place.directory.exists():
        with place.exclusive(), console.status("destroying") as shown:
            tear_down(place, lambda message: shown.update(message))


@app.command()
def dashboard(
    home: HomeOption = DEFAULT_HOME,
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 8501,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser of this machine.")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="DIR", help="Write a page and pictures into DIR instead.")
    ] = None,
) -> None:
    """Show the figures of the warehouse as a page that moves by itself, or write them as a file."""
    from local.dashboard.server import HOST, serve

    if file is not None:
        from local.dashboard.file import write_dashboard

        with _status("writing the dashboard", quiet=False):
            written = write_dashboard(Home(home), file)
        for path in written:
            out.print(str(path), highlight=False, soft_wrap=True)
        return
    out.print(f"The dashboard: http://{HOST}:{port} (Ctrl-C ends it)", highlight=False)
    serve(Home(home), port, open_browser=open_browser)


@app.command()
def demo(directory: Annotated[Path, typer.Option(help="Where the report goes.")] = ROOT / "build" / "demo") -> None:
    """Show the whole platform at work and prove the outcome."""
    from local.demo.demo import run_demo

    if not run_demo(directory, out):
        raise LocalError("Not every proof held; see the table above.")


def _schedule_lines(schedules: dict[str, dict[str, Any]]) -> str:
    if not any(schedule["fires"] for schedule in schedules.values()):
        return "none fires; up --schedules lets them"
    lines = []
    for name, schedule in schedules.items():
        error = f" ({schedule['error']})" if schedule["error"] else ""
        lines.append(f"{name}: last {schedule['last'] or 'never'}{error}, next {schedule['next'] or 'never'}")
    return "\n".join(lines)


def _status(text: str, quiet: bool) -> contextlib.AbstractContextManager[Any]:
    return contextlib.nullcontext() if quiet else console.status(text)


def main() -> int:
    """Run a command; every failure is one message and an exit code that is not 0."""
    try:
        code = app(standalone_mode=False)  # the code of an exit that was asked for, 130 for Ctrl-C
    except LocalError as error:
        return _fail(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return _fail("The disk is full. Free some space and run the command again; nothing is lost.", 1)
        return _fail(f"{type(error).__name__}: {error}", 1)
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")):  # usage
            return _fail(error.format_message() if hasattr(error, "format_message") else str(error), 2)
        return _unexpected(error)
    if code == INTERRUPTED:
        return _fail(
            "Interrupted. Nothing is lost: what was committed goes on, the rest is done by the next run.", code
        )
    return code if isinstance(code, int) else 0


def _unexpected(error: Exception) -> int:
    """Show one line; keep the traceback in a file beside the platforms, without showing it."""
    file = ROOT / ".cache" / "last-error.log"
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(traceback.format_exception(error)), "utf-8")
    first = (str(error) or "no message").splitlines()[0]
    return _fail(f"{type(error).__name__}: {re.sub(r'://[^@/ ]*@', '://…@', first)} (all of it: {file})", 1)


def _fail(message: str, code: int) -> int:
    console.print(message, style="red", highlight=False, soft_wrap=True, markup=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
