"""Tables and the way of a batch as HTML, for the page and the file; every text is escaped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from analytics.dashboard.parts import Chart, Unit
from local.dashboard import charts, words
from local.dashboard.figures import VisualFigures
from local.dashboard.history import FRESHNESS_MINUTES, Documents, Held, Loaded, Standing, TableRows

#: Marks a column of figures, which are right-aligned.
FIGURES = "figures"


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column."""

    text: str
    kind: str = ""


def table(caption: str, heads: Sequence[Head], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; it scrolls by itself, by keyboard too, where it is wider than its place."""

    def cell(tag: str, kind: str, text: str, more: str = "") -> str:
        return f"<{tag}{f' class={kind}' if kind else ''}{more}>{escape(text)}</{tag}>"

    head = "".join(cell("th", h.kind, h.text, ' scope="col"') for h in heads)
    body = "".join(
        f"<tr>{''.join(cell('td', h.kind, text) for h, text in zip(heads, row, strict=True))}</tr>" for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def visual_table(figures: VisualFigures) -> str:
    """Return the figures of a chart as a table: what is split has a column for each currency."""
    visual = figures.visual
    if not visual.split:
        return table(
            figures.title,
            (Head(_dimension(figures)), Head(_measure(figures, figures.currency), FIGURES)),
            ((charts.name_of(p, figures), words.figure(p.value, visual.measure.unit)) for p in figures.points),
        )
    splits = [c for c in figures.currencies if c in {p.split for p in figures.points}]
    rows: dict[str, dict[str, str]] = {}
    for point in figures.points:
        name = charts.name_of(point, figures) + ("" if point.whole else " (not whole)")
        rows.setdefault(name, {})[point.split] = words.figure(point.value, visual.measure.unit)
    heads = (Head(_dimension(figures)), *(Head(_measure(figures, split), FIGURES) for split in splits))
    return table(
        figures.title,
        heads,
        ((name, *(row.get(split, words.NOTHING) for split in splits)) for name, row in rows.items()),
    )


def _dimension(figures: VisualFigures) -> str:
    if figures.visual.chart is Chart.LINE:
        return figures.grain.value.capitalize()
    name = figures.visual.dimension.removesuffix("_name").removesuffix("_code").replace("_", " ")
    return {"counterparty legal": "counterparty", "counterparty legal country": "country"}.get(name, name).capitalize()


def _measure(figures: VisualFigures, currency: str) -> str:
    return f"{figures.visual.measure.label}{f', {currency}' if currency else ''}"


def freshness(standing: Standing, newest: Loaded) -> str:
    """Return one sentence on how fresh the warehouse is, against the limit."""
    limit = FRESHNESS_MINUTES * 60
    if standing.waits:
        state, text = "waits", f"The oldest batch that the warehouse lacks has waited {standing.waits:,.0f} s"
        state = "late" if standing.waits > limit else state
    else:
        state, text = "fresh", f"The warehouse shows every batch; the newest took {newest.seconds:,.1f} s"
        state = "late" if newest.seconds > limit else state
    word = {"fresh": "Fresh", "waits": "A batch is on its way", "late": "Late"}[state]
    used = min(100.0, 100 * (standing.waits or newest.seconds) / limit)
    return (
        f'<div class="freshness {state}"><strong>{word}</strong><span>{escape(text)} '
        f"from the source's snapshot. The limit is {FRESHNESS_MINUTES} minutes.</span>"
        f'<div class="meter" role="img" aria-label="{used:.0f} percent of the limit"><i style="width:{used:.1f}%"></i></div></div>'
    )


def way(batch: int, documents: Documents | None, loaded: Loaded | None) -> str:
    """Return the way of one batch through the platform: what it brought, where it is, and the seconds of each stage."""
    seconds = documents.seconds(loaded.loaded_at if loaded else None) if documents else {}

    def station(name: str, at: datetime | None, *lines: str) -> str:
        shown = "".join(f"<span>{escape(line)}</span>" for line in lines)
        when = f"{words.moment(at)[11:]} UTC" if at else "not yet"
        return (
            f'<li class="{"reached" if at else "ahead"}"><strong>{escape(name)}</strong>{shown}<time>{when}</time></li>'
        )

    def stage(name: str) -> str:
        took = seconds.get(name)
        return f'<li class="stage"><span>{name}</span><b>{words.figure(took, Unit.SECONDS)}</b></li>'

    rows = [f"{documents.rows_read:,} rows read"] if documents else []
    changes = [f"{loaded.inserted:,} new, {loaded.updated:,} changed, {loaded.deleted:,} deleted"] if loaded else []
    return (
        f'<ol class="way" aria-label="The way of batch {batch}">'
        + station("Source", documents.taken_at if documents else None, *rows)
        + stage("extract")
        + station("Ingestion", documents.committed_at if documents else None, f"batch {batch}")
        + stage("transform")
        + station(
            "Lake",
            documents.published_at if documents else None,
            *([f"{documents.quarantined:,} quarantined"] if documents and documents.quarantined is not None else []),
        )
        + stage("load")
        + station("Warehouse", loaded.loaded_at if loaded else None, *changes)
        + "</ol>"
    )


def batches_table(batches: Sequence[Loaded], documents: dict[int, Documents]) -> str:
    """Return the newest batches as a table."""
    heads = [Head("Batch", FIGURES), Head("Loaded, UTC")]
    heads += [Head(text, FIGURES) for text in ("Rows read", "New", "Changed", "Deleted", "Quarantined")]
    heads += [Head(text, FIGURES) for text in ("Extract", "Transform", "Load", "Snapshot to warehouse")]
    rows = []
    for batch in batches:
        read = documents.get(batch.batch)
        seconds = read.seconds(batch.loaded_at) if read else {}
        figures = [read.rows_read if read else None, batch.inserted, batch.updated, batch.deleted]
        figures += [read.quarantined if read else None]
        rows.append(
            (
                str(batch.batch),
                words.moment(batch.loaded_at),
                *(words.figure(value, Unit.NUMBER) for value in figures),
                *(words.figure(seconds.get(stage), Unit.SECONDS) for stage in ("extract", "transform", "load")),
                words.figure(batch.seconds, Unit.SECONDS),
            )
        )
    return table(f"The last {len(rows)} batches" if len(rows) > 1 else "The only batch", heads, rows)


def rows_table(tables: Sequence[TableRows]) -> str:
    """Return what the warehouse has of each table."""
    heads = [Head("Table"), *(Head(text, FIGURES) for text in ("Current rows", "New", "Changed", "Deleted"))]
    return table(
        "Rows by table, and what the newest batch did",
        heads,
        (
            (t.table, *(words.figure(v, Unit.NUMBER) for v in (t.current, t.inserted, t.updated, t.deleted)))
            for t in tables
        ),
    )


def held_table(held: Sequence[Held]) -> str:
    """Return the quarantined rows with their reasons."""
    heads = (
        Head("Table"),
        Head("Key", FIGURES),
        Head("Column"),
        Head("Value"),
        Head("Reason"),
        Head("Since batch", FIGURES),
    )
    return table(
        "Quarantined rows",
        heads,
        ((h.table, str(h.key), h.column, h.value, h.reason, str(h.since_batch)) for h in held),
    )


def alarms_table(states: dict[str, str]) -> str:
    """Return the alarms, those that are up first."""
    rows = sorted(states.items(), key=lambda item: (item[1] != "ALARM", item[0]))
    said = {"OK": "OK", "ALARM": "Alarm", "INSUFFICIENT_DATA": "No data yet"}
    return table("Alarms", (Head("Alarm"), Head("State")), ((name, said.get(state, state)) for name, state in rows))
