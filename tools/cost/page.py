"""The page ``docs/cost.md``: ``page.md`` with its tables."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from cdk_app.settings import Settings
from tools.cost import measured
from tools.cost.bill import DAYS, Line, bill, log_gigabytes, requests, run_minutes, runs, total
from tools.cost.deployed import Deployed
from tools.cost.prices import Prices
from tools.cost.traffic import IDLE, TOTESYS, Traffic, times

#: What can be turned, and what is given up for it.
_LEVERS: tuple[tuple[str, dict[str, int], str], ...] = (
    ("`publish_minutes`: 30", {"publish_minutes": 30, "freshness_minutes": 40}, "a batch waits up to 30 minutes more"),
    ("`extract_minutes`: 15", {"extract_minutes": 15}, "a change waits up to 10 minutes more"),
    ("`recovery_minutes`: 30", {"recovery_minutes": 30}, "what was lost is made good 15 minutes later"),
)


def render(settings: Settings, deployed: Deployed, prices: Prices) -> str:
    """Return the page for one deployment."""
    traffics = (IDLE, TOTESYS, times(100, settings.extract_minutes), times(10_000, settings.extract_minutes))
    bills = [bill(settings, traffic, deployed, prices) for traffic in traffics]
    minutes, workers = run_minutes(settings, TOTESYS)
    run = minutes * workers / 60 * prices["glue_dpu_hour"]
    return (
        Path(__file__)
        .with_name("page.md")
        .read_text("utf-8")
        .format(
            environment=settings.environment,
            region=prices.region,
            date=prices.date,
            confirmed=sum(price.is_confirmed for price in prices.prices.values()),
            prices=len(prices.prices),
            bill=_bill(traffics, bills),
            traffic=_traffic(settings, traffics),
            dominates="\n".join(map(_dominates, traffics, bills)),
            levers=_levers(settings, traffics, deployed, prices),
            run=run,
            daily=run * DAYS,
            many=total(bill(settings, replace(TOTESYS, batches=880 / DAYS), deployed, prices)),
            options=_options(prices),
            metric=prices["metric"],
            minutes=measured.RUN_MINUTES,
            workers=measured.WORKERS,
            rows_a_minute=measured.ROWS_A_MINUTE,
            interval=settings.extract_minutes,
            flex=1 - prices["glue_flex_dpu_hour"] / prices["glue_dpu_hour"],
            list=_list(prices),
        )
        .rstrip("\n")
        + "\n"
    )


def one(settings: Settings, traffic: Traffic, deployed: Deployed, prices: Prices) -> str:
    """Return the bill of one traffic."""
    lines = bill(settings, traffic, deployed, prices)
    return "\n".join([_bill((traffic,), [lines]), _traffic(settings, (traffic,)), _dominates(traffic, lines)])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], figures: int = 0) -> str:
    """Write a table; of its columns `figures` after the first are aligned right."""
    rules = ["---:" if 0 < position <= figures else "---" for position in range(len(head))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rules, *rows))


def _bill(traffics: Sequence[Traffic], bills: Sequence[list[Line]]) -> str:
    rows = [
        [lines[0].name, *(f"{line.usd:.2f}" for line in lines)]
        for lines in zip(*bills, strict=True)
        if any(line.usd >= 0.005 for line in lines)
    ]
    rows.append(["**all**", *(f"**{total(lines):.2f}**" for lines in bills)])
    return _table(["", *(traffic.name for traffic in traffics)], rows, len(traffics))


def _traffic(settings: Settings, traffics: Sequence[Traffic]) -> str:
    counts = [runs(settings, traffic) for traffic in traffics]
    minutes = [run_minutes(settings, traffic) for traffic in traffics]
    asked = [requests(count) for count in counts]
    rows = [
        ["changed rows a day", *(f"{traffic.rows:,.0f}" for traffic in traffics)],
        ["extractions", *(f"{count.extractions:,.0f}" for count in counts)],
        ["batches, with the daily key lists", *(f"{count.batches:,.0f}" for count in counts)],
        ["runs of the transform job", *(f"{count.transforms:,.0f}" for count in counts)],
        ["minutes × workers of a run", *(f"{run:.1f} × {workers:.0f}" for run, workers in minutes)],
        ["LIST requests", *(f"{each.lists:,}" for each in asked)],
        ["PUT requests", *(f"{each.puts:,}" for each in asked)],
        ["GET requests", *(f"{each.gets:,}" for each in asked)],
        ["logs, GB", *(f"{log_gigabytes(count):.2f}" for count in counts)],
    ]
    return _table(["", *(traffic.name for traffic in traffics)], rows, len(traffics))


def _dominates(traffic: Traffic, lines: list[Line]) -> str:
    whole = total(lines)
    largest = sorted(lines, key=lambda line: -line.usd)[:3]
    return f"- **{traffic.name}**: " + ", ".join(f"{line.name} ({line.usd / whole:.0%})" for line in largest)


def _levers(settings: Settings, traffics: Sequence[Traffic], deployed: Deployed, prices: Prices) -> str:
    def totals(turned: Settings) -> list[float]:
        return [total(bill(turned, traffic, deployed, prices)) for traffic in traffics]

    rows = [
        [name, *(f"{now - then:.2f}" for now, then in zip(totals(settings), after, strict=True)), price]
        for name, changed, price in _LEVERS
        for after in [totals(settings.model_copy(update=changed))]
    ]
    return _table(["setting", *(traffic.name for traffic in traffics), "what is given up"], rows, len(traffics))


def _options(prices: Prices) -> str:
    zone, small = 24 * DAYS * prices["endpoint_hour"], 1000 * 10e6 / 1e12
    log, kept = prices["log_gb"], prices["log_gb_month"]
    rows = [
        ["interface endpoint (`vpc_endpoints`)", f"{zone:.2f} a zone, {prices['endpoint_gb']} a GB; `s3` is free"],
        ["four of them in two zones", f"{4 * 2 * zone:.2f}"],
        ["customer key (`customer_key`)", f"{prices['key']:.2f} a key: in the bill, as are its calls"],
        ["logs, 1 GB more", f"{log:.2f}, and {kept:.2f} for each month that it is kept (`log_days`)"],
        [
            "metrics of the Glue jobs (`--enable-metrics`), which are off",
            f"{prices['metric']:.2f} each, up to 13 in all",
        ],
        ["Quick Sight, each author", f"{prices['quicksight_author']:.2f}"],
        ["Quick Sight, each reader", f"{prices['quicksight_reader']:.2f}"],
        [
            "Quick Sight with a copy (`quicksight_mode`)",
            f"{prices['spice_gb']:.2f} a GB beyond what authors bring along",
        ],
        ["Athena, 1,000 small queries", f"{small * prices['athena_tb']:.2f}; {prices['athena_tb']:.0f} a TB"],
    ]
    return _table(["option", "price"], rows)


def _list(prices: Prices) -> str:
    rows = [
        [
            name,
            f"{price.usd:.10f}".rstrip("0").rstrip("."),
            price.unit,
            price.source,
            "yes" if price.is_confirmed else "no",
        ]
        for name, price in prices.prices.items()
    ]
    return _table(["price", "USD", "of", "found at", "confirmed"], rows, 1)
