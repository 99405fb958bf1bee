"""One page as Streamlit draws it: filters, numbers, charts with tables, and what moves by itself."""

from typing import Any

import streamlit as st

from analytics.dashboard.description import PAGES
from analytics.dashboard.parts import Page
from local.dashboard import charts, history, parts, words
from local.dashboard.choice import PERIODS, Choice
from local.dashboard.data import BATCHES_SHOWN, Warehouse, newest, reading, warehouse_of
from local.dashboard.figures import KpiFigure, Newest, Options, PageFigures, VisualFigures
from local.errors import LocalError
from local.home import Home

#: Every how many seconds the page looks for a newer batch, and at the way of the newest one.
LOOK_SECONDS, WAY_SECONDS = 1, 2
#: For how many seconds what alarms say is kept: asking takes long.
ALARM_SECONDS = 10
PERIOD, CURRENCY_KEY, COUNTERPARTIES = "period", "currency", "counterparties"
#: What the last full run of the script has drawn.
_DRAWN = "drawn"


def show(home: Home, page: Page) -> None:
    """Draw a page, or one message that says why there is nothing to draw; look again each second."""
    for key in (PERIOD, CURRENCY_KEY, COUNTERPARTIES):  # what is chosen stays chosen on pages that do not ask
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]
    st.title(page.title, anchor=False)
    state = _look(home)
    st.session_state[_DRAWN] = state
    _watch(home, page)
    if isinstance(state, str):
        st.error(state)
    elif state is None:
        st.info(
            f"There is no batch yet. Move one: `python -m local batch --home {home.directory}`. It appears here by itself."
        )
    else:
        try:
            _draw(home, page, state)
        except LocalError:
            st.rerun()  # the warehouse went away between two looks; the next one says so


def _look(home: Home) -> Newest | str | None:
    """Return the newest batch, None before the first one, or why it cannot be told."""
    try:
        return newest(warehouse_of(home))
    except LocalError as error:
        return f"{error} --home {home.directory}" if str(error).endswith("local up") else str(error)


@st.fragment(run_every=LOOK_SECONDS)
def _watch(home: Home, page: Page) -> None:
    """Say how old the figures are, and have the page drawn anew when the warehouse shows others."""
    state = _look(home)
    if state != st.session_state.get(_DRAWN, state):
        st.rerun()
    if isinstance(state, Newest):
        st.caption(f"{page.says} Batch {state.batch}, loaded {words.ago(state.loaded_at)}.")
    else:
        st.caption(page.says)


def _draw(home: Home, page: Page, state: Newest) -> None:
    warehouse = warehouse_of(home)
    choice = _choose(page, _options(warehouse, page.id, state))
    figures = _figures(warehouse, page.id, choice, state)
    if page.id == "platform":
        with st.container(border=True):
            st.subheader("The way of the newest batch", anchor=False)
            _way(home, state)
    for column, kpi in zip(st.columns(len(figures.kpis)), figures.kpis, strict=True):
        with column:
            _metric(kpi, choice)
    _visuals(figures)
    if page.id == "platform":
        _history(home, warehouse, state)


def _choose(page: Page, options: Options) -> Choice:
    """Ask what to show; what was chosen and is there no more is forgotten."""
    labels = {period.label: period for period in PERIODS}
    st.session_state.setdefault(PERIOD, PERIODS[0].label)
    columns = st.columns([1.3, 0.9, 1.8]) if page.filters else [st.container()]
    period = columns[0].segmented_control(
        "Period", labels, key=PERIOD, required=True, help="Up to the newest day in the data."
    )
    chosen = labels[period or PERIODS[0].label]
    if not page.filters:
        return Choice(chosen)
    if st.session_state.get(CURRENCY_KEY) not in options.currencies:
        st.session_state[CURRENCY_KEY] = options.currencies[0]
    kept = st.session_state.get(COUNTERPARTIES, [])
    st.session_state[COUNTERPARTIES] = [name for name in kept if name in options.counterparties]
    currency = columns[1].segmented_control("Currency", options.currencies, key=CURRENCY_KEY, required=True)
    names = columns[2].multiselect(
        "Counterparties", options.counterparties, key=COUNTERPARTIES, placeholder="All of them"
    )
    return Choice(chosen, currency or options.currencies[0], tuple(names))


def _metric(figure: KpiFigure, choice: Choice) -> None:
    measure = figure.kpi.measure
    difference = words.change(figure.value, figure.before)
    st.metric(
        measure.label,
        words.figure(figure.value, measure.unit, figure.currency),
        difference,
        delta_color="off",
        delta_description=f"than the {choice.period.label} before" if difference else None,
        help=measure.explanation,
        border=True,
        height="stretch",
    )


def _visuals(figures: PageFigures) -> None:
    visuals = list(figures.visuals)
    if len(visuals) % 2:
        _visual(visuals.pop(0))
    for left, right in zip(visuals[::2], visuals[1::2], strict=True):
        for column, visual in zip(st.columns(2), (left, right), strict=True):
            with column:
                _visual(visual)


def _visual(figures: VisualFigures) -> None:
    """Draw a chart, and at the bottom of its place the table of its figures."""
    with st.container(border=True, height="stretch", vertical_alignment="distribute"):
        with st.container(gap="small"):
            st.subheader(figures.title, anchor=False)
            if not figures.points:
                st.caption("Nothing to show.")
                return
            st.caption(charts.note(figures))
            theme = charts.DARK if st.context.theme.type == "dark" else charts.LIGHT
            key = f"chart-{figures.visual.id}"
            st.altair_chart(charts.chart(figures, theme), theme=None, width="stretch", key=key)
        with st.expander("Table"):
            st.html(parts.visual_table(figures))


@st.fragment(run_every=WAY_SECONDS)
def _way(home: Home, state: Newest) -> None:
    """Show where the newest batch is; it moves through the stages while one looks."""
    try:
        platform = home.platform()
        with reading(warehouse_of(home)) as reader:
            loaded = {batch.batch: batch for batch in history.loaded_batches(reader)}
    except LocalError:
        return  # `_watch` says why
    standing, problem = history.safely(history.standing, platform, state.batch)
    if standing is None:
        st.caption(problem)
        return
    number = max(standing.batch, state.batch)
    documents = _documents(platform, (number,), settled=number in loaded)
    st.html(
        parts.freshness(standing, loaded[state.batch]) + parts.way(number, documents.get(number), loaded.get(number))
    )


def _history(home: Home, warehouse: Warehouse, state: Newest) -> None:
    platform = home.platform()
    with reading(warehouse) as reader:
        batches, tables = history.loaded_batches(reader), history.tables(reader)
    documents = _documents(platform, tuple(batch.batch for batch in batches), settled=True)
    with st.container(border=True):
        st.subheader(f"The last {BATCHES_SHOWN} batches", anchor=False)
        st.html(parts.batches_table(batches, documents))
    left, right = st.columns(2)
    with left, st.container(border=True, height="stretch"):
        st.subheader("Rows by table", anchor=False)
        st.html(parts.rows_table(tables))
    with right:
        with st.container(border=True):
            _held(platform, state)
        with st.container(border=True):
            _alarms(platform)


def _held(platform: dict[str, str], state: Newest) -> None:
    st.subheader("Quarantined rows", anchor=False)
    held, problem = _held_rows(platform, state.batch)
    if held is None:
        st.caption(problem)
    elif not held:
        st.caption("None: every row passes its checks.")
    else:
        st.html(parts.held_table(held))


@st.fragment(run_every=ALARM_SECONDS)
def _alarms(platform: dict[str, str]) -> None:
    st.subheader("Alarms", anchor=False)
    found, problem = history.safely(history.alarms, platform)
    if found is None:
        st.caption(problem)
        return
    if error := found.last_error:
        st.caption(f"Last error, {error['at']}, {error['where']}: {error['message']}")
    st.html(parts.alarms_table(found.states))


@st.cache_data(show_spinner=False, max_entries=64)
def _options(_warehouse: Warehouse, page: str, state: Newest) -> Options:
    with reading(_warehouse) as reader:
        return reader.options(_page(page))


@st.cache_data(show_spinner=False, max_entries=256)
def _figures(_warehouse: Warehouse, page: str, choice: Choice, state: Newest) -> PageFigures:
    with reading(_warehouse) as reader:
        return reader.page(_page(page), choice)


@st.cache_data(show_spinner=False, max_entries=16)
def _held_rows(_platform: dict[str, str], batch: int) -> tuple[Any, str]:
    found: tuple[Any, str] = history.safely(history.held, _platform)
    return found


def _documents(platform: dict[str, str], batches: tuple[int, ...], *, settled: bool) -> dict[int, history.Documents]:
    """Return the documents of some batches; those of loaded ones change no more and are kept."""
    kept: dict[int, history.Documents] = st.session_state.setdefault("documents", {})
    missing = [batch for batch in batches if batch not in kept]
    found, _ = history.safely(history.documents, platform, missing)
    if settled:
        kept.update(found or {})
    return {**kept, **(found or {})}


def _page(name: str) -> Page:
    return next(page for page in PAGES if page.id == name)
