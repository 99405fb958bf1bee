"""The charts, as Vega-Lite made with Altair: the page and the file draw the same."""

from dataclasses import dataclass
from typing import Any

import altair as alt

from analytics.dashboard.description import CURRENCY_COLOURS, FURTHER_COLOURS, MAIN_COLOUR
from analytics.dashboard.parts import Chart
from local.dashboard import words
from local.dashboard.choice import Grain
from local.dashboard.figures import Point, VisualFigures

#: What a layered chart is, whatever Altair calls it.
Drawn = alt.LayerChart | alt.FacetChart

HEIGHT = 300
#: Space, in pixels, at the right of bars, where their figures stand in one column.
_FIGURES = 92
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_AXIS_DATES = {Grain.DAY: "%-d %b", Grain.WEEK: "%-d %b", Grain.MONTH: "%b %Y"}


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of what is not data, and the font."""

    text: str
    grid: str
    font: str


_SANS = "'Source Sans', system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
LIGHT = Theme("#3d4450", "#e3e6ea", _SANS)
DARK = Theme("#c3c9d2", "#333a45", _SANS)
#: Takes the colours of the text around it: one drawing for light and dark.
INHERITED = Theme("currentColor", "var(--grid)", _SANS)


def chart(figures: VisualFigures, theme: Theme, width: int | str = "container") -> Drawn:
    """Draw what a visual shows.

    Parameters
    ----------
    width
        In pixels, or ``container``.
    """
    draw = {Chart.LINE: _line, Chart.BAR: _bar, Chart.COLUMN: _column}[figures.visual.chart]
    drawn = draw(figures, theme)
    height = max(56, 30 * len(figures.points)) if figures.visual.chart is Chart.BAR else HEIGHT
    finished: Drawn = (
        drawn.properties(width=width, height=min(height, HEIGHT), description=describe(figures))
        .configure(
            background="transparent",
            font=theme.font,
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            padding={"left": 2, "right": 4, "top": 6, "bottom": 2},
        )
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=theme.text,
            titleColor=theme.text,
            gridColor=theme.grid,
            domainColor=theme.grid,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            ticks=False,
            domain=False,
            labelPadding=8,
        )
        .configure_legend(labelColor=theme.text, labelFontSize=12, symbolSize=90, orient="top", title=None, offset=8)
        .configure_text(color=theme.text, font=theme.font, fontSize=12)
    )
    return finished


def describe(figures: VisualFigures) -> str:
    """Say in words what a chart shows, for readers who do not see it."""
    if not figures.points:
        return f"{figures.title}: nothing to show."
    largest = max(figures.points, key=lambda point: point.value)
    return (
        f"{figures.title}: {len(figures.points)} figures. The largest: {_name(largest, figures)}"
        f"{' ' + largest.split if largest.split else ''}, {said(largest, figures)}. The table below has all of them."
    )


def said(point: Point, figures: VisualFigures) -> str:
    """Write a point's figure with its unit."""
    return words.figure(point.value, figures.visual.measure.unit, point.split or figures.currency)


def name_of(point: Point, figures: VisualFigures) -> str:
    """Write what a point stands for."""
    return _name(point, figures)


def note(figures: VisualFigures) -> str:
    """Return what a reader must know to read a chart: units, and what is not whole."""
    visual = figures.visual
    if visual.chart is Chart.COLUMN and not visual.order:
        number = len(figures.points)
        return (
            f"{visual.measure.label} on a logarithmic scale, the newest {number} batches"
            if number > 1
            else "The only batch"
        )
    if visual.chart is not Chart.LINE:
        return f"{visual.measure.label} in {figures.currency}" if figures.currency else visual.measure.label
    text = f"{visual.measure.label}, each line in its own currency."
    if figures.shown and any(not point.whole for point in figures.points):
        text += f" Hollow: a {figures.grain.value} that is not whole."
    return text


def colours(currencies: tuple[str, ...]) -> dict[str, str]:
    """Return the colour of each currency, the same on every page, and of what has none."""
    further = sorted(currency for currency in currencies if currency not in CURRENCY_COLOURS)
    others = {currency: FURTHER_COLOURS[n % len(FURTHER_COLOURS)] for n, currency in enumerate(further)}
    return {**CURRENCY_COLOURS, **others, "": MAIN_COLOUR}


def _name(point: Point, figures: VisualFigures) -> str:
    if figures.visual.chart is Chart.LINE:
        return f"{point.dimension:%b %Y}" if figures.grain is Grain.MONTH else words.day(point.dimension)
    if point.dimension is None:
        return words.NOTHING
    return str(point.dimension)


def _colour(figures: VisualFigures) -> str:
    return colours(figures.currencies).get(figures.currency, MAIN_COLOUR)


def _values(figures: VisualFigures) -> list[dict[str, Any]]:
    return [
        {
            "name": _name(point, figures),
            "split": point.split,
            "value": float(point.value),
            "said": said(point, figures),
            "whole": point.whole,
            **({"at": f"{point.dimension}T00:00:00Z"} if figures.visual.chart is Chart.LINE else {}),
        }
        for point in figures.points
    ]


def _tooltip(figures: VisualFigures) -> list[alt.Tooltip]:
    column = "Period" if figures.visual.chart is Chart.LINE else "Name"
    return [
        alt.Tooltip("name:N", title="Batch" if figures.visual.dimension == "batch" else column),
        alt.Tooltip("said:N", title=figures.visual.measure.label),
    ]


def _line(figures: VisualFigures, theme: Theme) -> Drawn:
    """Lines over time; what is not whole stands for itself and hollow, so that it does not look like a fall."""
    values = _values(figures)
    currencies = [currency for currency in figures.currencies if currency in {point.split for point in figures.points}]
    known = colours(figures.currencies)
    scale = alt.Scale(domain=currencies, range=[known[currency] for currency in currencies])
    shapes = alt.Scale(domain=currencies, range=[_SHAPES[n % len(_SHAPES)] for n in range(len(currencies))])
    dates = alt.Axis(format=_AXIS_DATES[figures.grain], grid=False, labelOverlap="greedy", labelFlush=True, tickCount=6)
    if figures.grain is Grain.WEEK:  # weeks begin on Monday here, on Sunday in Vega
        days = sorted({point.dimension for point in figures.points})
        dates.values = [alt.DateTime(year=d.year, month=d.month, date=d.day, utc=True) for d in days]
    encoded = alt.Chart().encode(
        x=alt.X("at:T", scale=alt.Scale(type="utc"), title=None, axis=dates),
        y=alt.Y("value:Q", title=None).axis(format="~s", tickCount=5).scale(zero=True, nice=True),
        color=alt.Color("split:N", scale=scale),
        tooltip=_tooltip(figures),
    )
    whole, begun = ([value for value in values if value["whole"] is kind] for kind in (True, False))
    parts = [encoded.mark_line(strokeWidth=2).properties(data=_data(whole))] if whole else []
    for points, filled in ((whole, True), (begun, False)):
        if points:  # a layer without marks has nothing to say to a screen reader
            marks = encoded.mark_point(size=42, opacity=1, filled=filled)
            parts.append(marks.encode(shape=alt.Shape("split:N", scale=shapes)).properties(data=_data(points)))
    return alt.layer(*parts)


def _bar(figures: VisualFigures, theme: Theme) -> Drawn:
    """Bars with their figures in one column at the right, instead of an axis."""
    figure = ",.0f"
    encoded = alt.Chart(_data(_values(figures))).encode(
        y=alt.Y("name:N", sort=None, title=None).axis(labelLimit=180, labelPadding=6).scale(paddingInner=0.35),
        tooltip=_tooltip(figures),
    )
    bars = encoded.mark_bar(color=_colour(figures), cornerRadiusEnd=2).encode(
        x=alt.X("value:Q", axis=None).scale(
            zero=True, nice=False, range=[0, alt.ExprRef(f"max(20, width - {_FIGURES})")]
        )
    )
    texts = encoded.mark_text(align="right", color=theme.text).encode(
        x=alt.value(alt.expr("width")), text=alt.Text("value:Q", format=figure)
    )
    return alt.layer(bars, texts)


def _column(figures: VisualFigures, theme: Theme) -> Drawn:
    """Columns in the order of the dimension; batches differ so much that theirs are on a logarithmic scale."""
    by_batch = not figures.visual.order
    values = _values(figures)
    axis = alt.Axis(format="~s", tickCount=5)
    scale = alt.Scale(zero=True, nice=True)
    if by_batch:
        top = max([10, *(v["value"] for v in values)])
        ticks = [0, *(10**n for n in range(1, 10) if 10**n <= top * 2)]
        axis, scale = alt.Axis(format=",d", values=ticks), alt.Scale(type="symlog", domainMin=0, domainMax=top * 2)
    encoded = alt.Chart(_data(values)).encode(
        x=alt.X("name:N", sort=None, title="Batch" if by_batch else "Days overdue").axis(
            labelAngle=0, labelOverlap="greedy"
        ),
        tooltip=_tooltip(figures),
    )
    width = alt.RelativeBandSize(0.7)
    bars = encoded.mark_bar(
        color=_colour(figures), cornerRadiusEnd=2, **({"width": width} if len(values) > 4 else {"size": 48})
    ).encode(y=alt.Y("value:Q", title=None, axis=axis, scale=scale))
    if len(values) > 12:
        return alt.layer(bars)
    texts = encoded.mark_text(baseline="bottom", dy=-4, color=theme.text).encode(
        y=alt.Y("value:Q"), text=alt.Text("value:Q", format=",d" if by_batch else ".3~s")
    )
    return alt.layer(bars, texts)


def _data(values: list[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=values)
