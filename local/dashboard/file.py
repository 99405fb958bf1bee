"""The dashboard as one file that needs nothing, no server, script or font, and two pictures of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from analytics.dashboard.description import PAGES
from local.dashboard import charts, history, parts, words
from local.dashboard.choice import Choice
from local.dashboard.data import BATCHES_SHOWN, reading, warehouse_of
from local.dashboard.figures import Newest, PageFigures, VisualFigures
from local.errors import LocalError
from local.home import Home
from local.servers.chromium import headless_browser

if TYPE_CHECKING:
    from playwright.sync_api import Page

INDEX, LIGHT, DARK = "index.html", "dashboard.png", "dashboard-dark.png"
#: Width of the pictures, and of a chart, in pixels.
PICTURE_WIDTH = 1280
CHART_WIDTH, WIDE_CHART_WIDTH = 570, 1194
#: What Chromium says when it refuses a picture; how often it is asked for one, and what is waited in between.
_REFUSED, _ATTEMPTS, _PAUSE_MS = "Unable to capture screenshot", 4, 250
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that the file shows."""

    newest: Newest
    pages: tuple[PageFigures, ...]
    batches: tuple[history.Loaded, ...]
    tables: tuple[history.TableRows, ...]
    standing: history.Standing | None
    documents: dict[int, history.Documents]
    held: tuple[history.Held, ...]
    problem: str
    alarms: dict[str, str]


def write_dashboard(home: Home, directory: Path) -> list[Path]:
    """Write the page and its pictures, light and dark.

    Returns
    -------
    list
        The files written.

    Raises
    ------
    LocalError
        When there is no batch yet, the platform does not run, or there is no browser to take pictures with.
    """
    directory.mkdir(parents=True, exist_ok=True)
    index = directory / INDEX
    index.write_text(page_html(read(home)), "utf-8")
    return [index, *take_pictures(index)]


def read(home: Home) -> Content:
    """Read what the file shows.

    Raises
    ------
    LocalError
        When there is no batch yet, or the platform does not run.
    """
    platform = home.platform()
    with reading(warehouse_of(home)) as reader:
        newest = reader.newest()
        if newest is None:
            raise LocalError(f"There is no batch yet. Move one: python -m local batch --home {home.directory}")
        pages = tuple(reader.page(page, Choice()) for page in PAGES)
        batches, tables = tuple(history.loaded_batches(reader)), tuple(history.tables(reader))
    standing, _ = history.safely(history.standing, platform, newest.batch)
    documents, _ = history.safely(history.documents, platform, [batch.batch for batch in batches])
    held, problem = history.safely(history.held, platform)
    found, _ = history.safely(history.alarms, platform)
    return Content(
        *(newest, pages, batches, tables, standing, documents or {}, tuple(held or ()), problem),
        alarms=found.states if found else {},
    )


def page_html(content: Content) -> str:
    """Return the whole page: one document without a request."""
    css = "".join((_HERE / name).read_text("utf-8") for name in ("file.css", "parts.css"))
    newest, now = content.newest, datetime.now(UTC)
    icon = (_HERE / "icon.svg").read_text("utf-8")
    links = "".join(f'<a href="#{page.id}">{escape(page.title)}</a>' for page in PAGES)
    sections = "".join(_section(figures, content) for figures in content.pages)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Terrific Totes</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f'<link rel="icon" href="data:,"><style>{css}</style></head><body><header><div class="bar">'
        f'<strong>{icon.replace("<svg ", _HIDDEN, 1)}Terrific Totes</strong><nav aria-label="Pages">{links}</nav>'
        f"<p>Batch {newest.batch}, loaded {words.moment(newest.loaded_at)} UTC</p></div></header>"
        f"<main>{sections}</main><footer>Written {words.moment(now)} UTC from the warehouse of the totesys data platform. "
        f"All days. Money and orders in {content.pages[0].choice.currency} where a chart does not show each currency."
        "</footer></body></html>\n"
    )


_HIDDEN = '<svg aria-hidden="true" '


def _section(figures: PageFigures, content: Content) -> str:
    page = figures.page
    level = "h1" if page is PAGES[0] else "h2"
    visuals = list(figures.visuals)
    wide = [_visual(visuals.pop(0), WIDE_CHART_WIDTH)] if len(visuals) % 2 else []
    drawn = "".join([*wide, *(_visual(visual, CHART_WIDTH) for visual in visuals)])
    extra = "".join(_platform(content)) if page.id == "platform" else ""
    first = _way(content) if page.id == "platform" else ""
    return (
        f'<section id="{page.id}" aria-labelledby="{page.id}-title"><{level} id="{page.id}-title">{escape(page.title)}</{level}>'
        f'<p class="says">{escape(page.says)}</p>{first}<dl class="kpis">{"".join(_kpis(figures))}</dl>'
        f'<div class="grid">{drawn}</div>{extra}</section>'
    )


def _kpis(figures: PageFigures) -> Iterator[str]:
    for figure in figures.kpis:
        measure = figure.kpi.measure
        yield (
            f'<div><dt>{escape(measure.label)}</dt><dd class="value">'
            f"{escape(words.figure(figure.value, measure.unit, figure.currency))}</dd>"
            f'<dd class="what">{escape(measure.explanation)}</dd></div>'
        )


def _visual(figures: VisualFigures, width: int) -> str:
    style = ' class="wide"' if width == WIDE_CHART_WIDTH else ""
    title = f"<h3>{escape(figures.title)}</h3>"
    if not figures.points:
        return f'<figure{style}>{title}<p class="empty">Nothing to show.</p></figure>'
    return (
        f'<figure{style}>{title}<p class="note">{escape(charts.note(figures))}</p>{svg(figures, width)}'
        f"<details><summary>Table</summary>{parts.visual_table(figures)}</details></figure>"
    )


def svg(figures: VisualFigures, width: int) -> str:
    """Return a chart as SVG that takes the colours of the text around it."""
    import vl_convert

    spec = charts.chart(figures, charts.INHERITED, width).to_dict()
    drawn: str = vl_convert.vegalite_to_svg(spec, vl_version="6.4")
    return drawn


def _way(content: Content) -> str:
    newest = content.batches[0]
    fresh = parts.freshness(content.standing, newest) if content.standing else ""
    way = parts.way(newest.batch, content.documents.get(newest.batch), newest)
    return f'<div class="card" style="margin:0 0 16px"><h3>The way of the newest batch</h3>{fresh}{way}</div>'


def _platform(content: Content) -> Iterator[str]:
    def card(title: str, body: str) -> str:
        return f'<div class="card"><h3>{escape(title)}</h3>{body}</div>'

    if content.held:
        held = parts.held_table(content.held)
    else:
        held = f'<p class="empty">{escape(content.problem or "None: every row passes its checks.")}</p>'
    yield card(f"The last {BATCHES_SHOWN} batches", parts.batches_table(content.batches, content.documents))
    yield '<div class="grid" style="margin-top:16px">'
    yield card("Rows by table", parts.rows_table(content.tables))
    yield card("Alarms", parts.alarms_table(content.alarms)) + "</div>"
    yield card("Quarantined rows", held)


def take_pictures(index: Path) -> list[Path]:
    """Take a picture of the page down to the end of its first section, in light and in dark.

    Raises
    ------
    LocalError
        When there is no browser.
    """
    taken = []
    schemes: tuple[tuple[str, Literal["light", "dark"]], ...] = ((LIGHT, "light"), (DARK, "dark"))
    with headless_browser() as browser:
        for name, scheme in schemes:
            page = browser.new_page(color_scheme=scheme, viewport={"width": PICTURE_WIDTH, "height": 800})
            page.goto(index.resolve().as_uri())
            bottom = page.evaluate("document.querySelector('section').getBoundingClientRect().bottom")
            page.set_viewport_size({"width": PICTURE_WIDTH, "height": int(bottom)})
            picture(page, index.with_name(name))
            page.close()
            taken.append(index.with_name(name))
    return taken


def picture(page: "Page", path: Path) -> None:
    """Take a picture of what a page shows.

    On a busy machine Chromium now and then refuses one, and takes the same one a moment later.

    Raises
    ------
    playwright.sync_api.Error
        When it goes on refusing, or something else is the matter.
    """
    from playwright.sync_api import Error

    for left in reversed(range(_ATTEMPTS)):
        try:
            page.screenshot(path=path)
            return
        except Error as error:
            if not left or _REFUSED not in str(error):
                raise
            page.wait_for_timeout(_PAUSE_MS)
