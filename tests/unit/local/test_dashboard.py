"""The dashboard without a server: days, words, queries as text, charts as specifications and SVG, and the file."""

import json
import re
import socket
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import Error as PlaywrightError
from psycopg import sql
from rich.console import Console

from analytics.dashboard.description import AGEING, CURRENCY_COLOURS, PAGES, PAYMENTS, SALES, SYNC
from analytics.dashboard.parts import Chart, Unit
from local import live
from local.__main__ import app
from local.dashboard import charts, choice, history, parts, words
from local.dashboard.choice import ALL, PERIODS, Choice, Days, Grain
from local.dashboard.data import Warehouse, _condition, newest
from local.dashboard.figures import KpiFigure, Newest, PageFigures, Point, VisualFigures
from local.dashboard.file import Content, page_html, picture, svg
from local.dashboard.server import check_port
from local.demo import demo
from local.errors import LocalError, PlatformDownError
from local.home import Home
from local.servers import tools

NOW = datetime(2024, 11, 5, 12, tzinfo=UTC)
TWO_YEARS = Days(date(2022, 11, 3), date(2024, 11, 4))
EVIL = "'; drop table dim_staff; --<script>alert(1)</script>"
VISUALS = {visual.id: visual for page in PAGES for visual in page.visuals}


def test_a_period_ends_with_the_newest_day_and_is_compared_with_the_one_before():
    last_30 = PERIODS[3]
    assert choice.chosen(ALL, TWO_YEARS) == TWO_YEARS and choice.before(ALL, TWO_YEARS) is None
    assert choice.chosen(last_30, TWO_YEARS) == Days(date(2024, 10, 6), date(2024, 11, 4))
    assert choice.before(last_30, TWO_YEARS) == Days(date(2024, 9, 6), date(2024, 10, 5))
    assert choice.chosen(last_30, TWO_YEARS).number == choice.before(last_30, TWO_YEARS).number == 30


def test_what_does_not_reach_back_is_compared_with_nothing():
    assert choice.before(PERIODS[1], TWO_YEARS) is not None
    assert choice.before(PERIODS[1], Days(date(2023, 1, 1), date(2024, 11, 4))) is None


@pytest.mark.parametrize(
    ("days", "grain"), [(10, Grain.DAY), (31, Grain.DAY), (90, Grain.WEEK), (365, Grain.MONTH), (730, Grain.MONTH)]
)
def test_points_stand_for_days_weeks_or_months(days, grain):
    assert choice.grain(Days(date(2024, 1, 1), date(2024, 1, 1) + timedelta(days=days - 1))) is grain


@pytest.mark.parametrize(
    ("first", "grain", "shown", "whole"),
    [
        (date(2024, 10, 1), Grain.MONTH, TWO_YEARS, True),
        (date(2024, 11, 1), Grain.MONTH, TWO_YEARS, False),
        (date(2022, 11, 1), Grain.MONTH, TWO_YEARS, True),  # before that there was nothing
        (date(2023, 11, 1), Grain.MONTH, Days(date(2023, 11, 6), date(2024, 11, 4)), False),
        (date(2024, 10, 28), Grain.WEEK, TWO_YEARS, True),
        (date(2024, 11, 4), Grain.WEEK, TWO_YEARS, False),
        (date(2024, 11, 4), Grain.DAY, TWO_YEARS, True),
    ],
)
def test_a_month_that_is_not_over_is_not_whole(first, grain, shown, whole):
    assert choice.is_whole(first, grain, shown, TWO_YEARS) is whole


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (Decimal("1234567.5"), Unit.MONEY, "1,234,567.50 GBP"),
        (1234, Unit.NUMBER, "1,234"),
        (61.25, Unit.SECONDS, "61.2 s"),
        (None, Unit.MONEY, "–"),
    ],
)
def test_a_figure_has_its_unit_and_thousands_separators(value, unit, text):
    assert words.figure(value, unit, "GBP" if unit is Unit.MONEY else "") == text


@pytest.mark.parametrize(("value", "before", "text"), [(110, 100, "+10.0 %"), (0, 50, "-100.0 %"), (1, 0, None)])
def test_a_change_is_in_percent_of_what_was(value, before, text):
    assert words.change(value, before) == text


def test_what_a_reader_chooses_is_a_parameter_never_a_part_of_the_statement():
    condition, parameters = _condition(SALES, Choice(ALL, EVIL, (EVIL,)), TWO_YEARS)
    assert "drop" not in condition.as_string(None) and parameters == [TWO_YEARS.first, TWO_YEARS.last, EVIL, [EVIL]]


def test_a_choice_leaves_what_has_no_such_column_alone():
    chosen = Choice(ALL, "USD", ("Fahey",))
    assert _condition(SYNC, chosen, None) == (sql.SQL("true"), [])
    assert _condition(AGEING, chosen, None)[1] == ["USD", ["Fahey"]]
    assert _condition(PAYMENTS, chosen, None, all_currencies=True)[1] == [["Fahey"]]


def test_g12_a_warehouse_that_does_not_answer_is_told_without_its_password():
    with pytest.raises(PlatformDownError, match="python -m local up") as gone:
        newest(Warehouse("postgresql://u:hunter2@127.0.0.1:1/x", "public", "etl"))
    assert "hunter2" not in str(gone.value)


def figures(id, *points, **options):
    currencies = ("GBP", "EUR", "JPY", "USD")
    return VisualFigures(VISUALS[id], tuple(points), currencies=currencies, shown=TWO_YEARS, **options)


LINE = figures(
    "sales-by-month",
    Point(date(2024, 9, 1), "GBP", Decimal(7)),
    Point(date(2024, 10, 1), "GBP", Decimal("1234.5")),
    Point(date(2024, 10, 1), "USD", Decimal(5)),
    Point(date(2024, 11, 1), "GBP", Decimal(1), whole=False),
)
BAR = figures("sales-by-customer", Point(EVIL, "", Decimal(3000)), Point("Fahey", "", Decimal(20)), currency="USD")
COLUMN = figures("platform-by-batch", Point(1, "", 50_000), Point(2, "", 3))
AGES = figures("payments-by-days-overdue", Point("not due", "", Decimal(3)), currency="EUR")


@pytest.mark.parametrize("shown", [LINE, BAR, COLUMN, AGES], ids=lambda shown: shown.visual.id)
def test_a_chart_is_drawn_with_marks_and_words_and_without_a_request(shown):
    drawn = svg(shown, 500)
    assert "aria-roledescription" in drawn and "mark-" in drawn
    assert set(re.findall(r"https?://[^\s\"]+", drawn)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "<script" not in drawn and "currentColor" in drawn
    assert shown.title in charts.describe(shown) and "$schema" in charts.chart(shown, charts.DARK).to_dict()


def test_a_currency_has_one_colour_everywhere():
    drawn = svg(LINE, 500)
    assert CURRENCY_COLOURS["GBP"] in drawn and CURRENCY_COLOURS["USD"] in drawn
    assert CURRENCY_COLOURS["USD"] in svg(BAR, 500) and CURRENCY_COLOURS["GBP"] not in svg(BAR, 500)
    found = charts.colours(("GBP", "EUR", "JPY", "CHF", "USD"))
    assert len({found[code] for code in ("GBP", "EUR", "JPY", "CHF", "USD")}) == 5
    assert found == charts.colours(("USD", "CHF", "JPY", "GBP", "EUR"))


def test_what_is_not_whole_is_no_part_of_a_line():
    spec = charts.chart(LINE, charts.LIGHT).to_dict()
    lines = {point["name"] for point in spec["datasets"][spec["layer"][0]["data"]["name"]]}
    assert lines == {"Sep 2024", "Oct 2024"} and "not whole" in charts.note(LINE)


def test_titles_are_the_descriptions_with_the_grain_that_is_shown():
    assert LINE.title == "Sales by month, each currency"
    assert replace(LINE, grain=Grain.WEEK).title == "Sales by week, each currency"


def test_tables_have_every_figure_to_the_right_and_a_column_for_each_currency():
    table = parts.visual_table(LINE)
    assert re.findall(r"<th[^>]*>([^<]+)", table) == ["Month", "Sales, GBP", "Sales, USD"]
    assert "<td class=figures>1,234.50</td><td class=figures>5.00</td>" in table and "Nov 2024 (not whole)" in table


def test_texts_of_the_data_are_escaped():
    assert "<script" not in parts.visual_table(BAR) and "&lt;script&gt;" in parts.visual_table(BAR)


def loaded(batch=3, seconds=12):
    return history.Loaded(batch, NOW - timedelta(seconds=seconds), NOW, NOW, 30, 4, 1)


def documents(**options):
    return history.Documents(
        39, NOW - timedelta(seconds=12), NOW - timedelta(seconds=11), NOW - timedelta(seconds=2), 0, **options
    )


def test_the_way_of_a_batch_says_where_it_is_and_how_long_each_stage_took():
    assert documents().seconds(NOW) == {"extract": 1.0, "transform": 9.0, "load": 2.0}
    assert documents().seconds(None)["load"] is None
    arrived, under_way = parts.way(3, documents(), loaded()), parts.way(3, documents(), None)
    assert "39 rows read" in arrived and "30 new, 4 changed, 1 deleted" in arrived and "<b>9.0 s</b>" in arrived
    assert arrived.count("reached") == 4 and under_way.count("reached") == 3 and "not yet" in under_way


@pytest.mark.parametrize(
    ("waits", "seconds", "state"), [(0, 12, "fresh"), (40, 12, "waits"), (1801, 12, "late"), (0, 1900, "late")]
)
def test_freshness_is_told_against_the_limit(waits, seconds, state):
    assert f'class="freshness {state}"' in parts.freshness(history.Standing(3, 3, waits), loaded(seconds=seconds))


def content(**options):
    shown = {"sales-by-month": LINE, "sales-by-customer": BAR, "platform-by-batch": COLUMN, AGES.visual.id: AGES}
    pages = tuple(
        PageFigures(
            page,
            Choice(),
            tuple(KpiFigure(kpi, 1234, None, "GBP" if kpi.measure.unit is Unit.MONEY else "") for kpi in page.kpis),
            tuple(shown.get(visual.id, VisualFigures(visual, ())) for visual in page.visuals),
        )
        for page in PAGES
    )
    whole = {
        "newest": Newest(3, NOW, NOW.date()),
        "pages": pages,
        "batches": (loaded(),),
        "tables": (history.TableRows("dim_staff", 20, 1, 2, 3),),
        "standing": history.Standing(3, 3, 0),
        "documents": {3: documents()},
        "held": (history.Held("sales_order", 11, "agreed_delivery_date", EVIL, "is no date", 2),),
        "problem": "",
        "alarms": {"not-fresh": "ALARM", "extract-failed": "OK"},
    }
    return Content(**{**whole, **options})


def test_the_file_is_one_document_without_script_or_request():
    html = page_html(content())
    assert html.count("<section") == 4 and html.count("<svg") == 5 and html.count("Nothing to show.") == 11
    assert "<script" not in html and "src=" not in html and "prefers-color-scheme: dark" in html
    assert set(re.findall(r'(?:href|url\()="?([^"#)]+)', html)) == {"data:,"}
    assert "1,234.00 GBP" in html and "is no date" in html and html.index("not-fresh") < html.index("extract-failed")


def test_a_part_that_cannot_be_read_is_said_and_the_others_are_there():
    html = page_html(content(standing=None, documents={}, held=(), problem="Athena does not answer.", alarms={}))
    assert "Athena does not answer." in html and "30 new, 4 changed, 1 deleted" in html


def test_a_port_in_use_is_told_with_another_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match=rf"Port {port} is in use.*--port {port + 1}"):
            check_port(port)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("simulate", "--live", "--days", "3"), "leave out --days"),
        (("simulate", "--per-minute", "3"), "add --live"),
        (("dashboard",), "python -m local up"),
        (("dashboard", "--file", "out"), "python -m local up"),
    ],
)
def test_bad_input_is_one_message(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LocalError, match=message):
        app([*arguments, "--home", str(tmp_path)], standalone_mode=False)


def test_batches_go_on_after_one_that_failed(monkeypatch):
    said, stop = [], threading.Event()
    table = {"inserted": 2, "updated": 1, "rows_read": 3}
    outcomes = [
        LocalError("the source refused the login"),
        {"batch": None, "reason": "nothing changed"},
        {"batch": 4, "tables": {"fact_payment": table, "payment": table}, "seconds": {"total": 9.0}},
    ]

    def move(platform):
        outcome = outcomes.pop(0)
        if not outcomes:
            stop.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(live, "move_batch", move)
    monkeypatch.setattr(live, "EVERY_SECONDS", 0)
    monkeypatch.setattr(live, "PAUSE_SECONDS", 0)
    live._batches({}, said.append, stop)
    assert said == [
        "No batch: the source refused the login",
        "No batch: nothing changed",
        "Batch 4: 2 rows new, 1 changed, in 9.0 s.",
    ]


def test_the_demonstration_says_that_a_picture_failed_and_goes_on(tmp_path, monkeypatch):
    def without_browser(home, directory):
        raise LocalError("There is no chromium.")

    monkeypatch.setattr(demo, "write_dashboard", without_browser)
    console = Console(record=True, width=200)
    assert demo._dashboard(Home(tmp_path), tmp_path / "dashboard", console) == ""
    assert "The dashboard is not complete: There is no chromium." in console.export_text()


def test_packages_that_are_not_installed_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(tools, "ROOT", tmp_path)
    (tmp_path / "package.json").write_text(json.dumps({"devDependencies": {"a": "1", "@b/c": "1"}}))
    (tmp_path / "node_modules" / "a").mkdir(parents=True)
    (tmp_path / "node_modules" / "a" / "package.json").write_text("{}")
    assert tools.missing_packages() == ["@b/c"]


def test_every_visual_has_a_way_to_be_drawn():
    assert {visual.chart for visual in VISUALS.values()} == set(Chart)


class Refusing:
    """A page of which the browser refuses some pictures."""

    def __init__(self, times, message="Protocol error (Page.captureScreenshot): Unable to capture screenshot"):
        self.left, self.message, self.asked = times, message, 0

    def screenshot(self, path):
        self.asked += 1
        if self.left:
            self.left -= 1
            raise PlaywrightError(self.message)
        path.write_text("picture")

    def wait_for_timeout(self, milliseconds):
        assert milliseconds > 0


def test_a_picture_that_the_browser_refuses_is_asked_for_again(tmp_path):
    path = tmp_path / "page.png"
    picture(Refusing(times=3), path)
    assert path.read_text() == "picture"


@pytest.mark.parametrize(("page", "asked"), [(Refusing(times=99), 4), (Refusing(99, "Target closed"), 1)])
def test_a_picture_that_cannot_be_taken_is_told(tmp_path, page, asked):
    with pytest.raises(PlaywrightError, match=page.message.partition(" (")[0]):
        picture(page, tmp_path / "page.png")
    assert page.asked == asked
