"""The dashboard over the deployed platform, in a headless Chromium: the live page, and the file."""

import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import psycopg
import pytest

from analytics.dashboard.description import PAGES
from analytics.dashboard.parts import Unit
from local.dashboard.file import write_dashboard
from local.home import ROOT, Home
from local.servers.chromium import headless_browser
from local.servers.processes import free_port

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
SCREENSHOTS = ROOT / "build" / "screenshots"
#: How soon the page shows what was loaded, in seconds.
SOON = 3
#: How long a page may take on a busy machine, in milliseconds.
PATIENCE = 60_000
VARIANTS = {"light": ("light", 1280), "dark": ("dark", 1280), "narrow": ("light", 400)}

#: Every chart of the page has marks.
DRAWN = """() => [...document.querySelectorAll('[data-testid=stVegaLiteChart]')].every(
    chart => chart.querySelector('.mark-rect path, .mark-line path'))"""
#: Whether a page shows all that it has, and nothing of another one. It never rests: it looks for a newer batch each second.
COMPLETE = """([title, figures, charts]) => {
    const count = selector => document.querySelectorAll(selector).length;
    const captions = [...document.querySelectorAll('[data-testid=stCaptionContainer]')];
    const empty = captions.filter(caption => caption.innerText.trim() === 'Nothing to show.').length;
    return document.querySelector('h1')?.innerText === title && count('[data-testid=stMetricValue]') === figures
        && count('[data-testid=stVegaLiteChart]') + empty === charts;
}"""
#: The numbers of each page, asked of the source in plain SQL.
OF_SOURCE = {
    "Sales": "select sum(units_sold * unit_price), count(*), sum(units_sold) from sales_order join currency using (currency_id)",
    "Purchases": "select sum(item_quantity * item_unit_price), count(*), sum(item_quantity) "
    "from purchase_order join currency using (currency_id)",
    "Payments": "select sum(payment_amount), count(*), sum(payment_amount) filter (where not paid) "
    "from payment join currency using (currency_id)",
}


@pytest.fixture(scope="module")
def dashboard(platform, tmp_path_factory):
    """The live page over the platform; its own home, which says where the platform is, can be changed by a test."""
    if not platform.in_warehouse("select to_regclass('etl.batch')")[0][0]:
        platform.batch()
    home = tmp_path_factory.mktemp("dashboard")
    shutil.copy(platform.home / "platform.json", home)
    with served(home) as address:
        yield address, home


@contextmanager
def served(home):
    port = free_port()
    log = home / "dashboard.log"
    command = [sys.executable, "-m", "local", "dashboard", "--home", str(home), "--port", str(port)]
    with log.open("w") as stream:
        process = subprocess.Popen(command, cwd=ROOT, stdout=stream, stderr=stream, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not answers(address):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def answers(address):
    try:
        return urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def browser():
    with headless_browser() as found:
        yield found


class Visitor:
    """A window of the browser that notes what a page complains of and whom it asks."""

    def __init__(self, context):
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.errors, self.foreign = [], []
        self.page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._note)

    def _note(self, request):
        if not re.match(r"(http|ws)://127\.0\.0\.1:|data:|blob:", request.url):
            self.foreign.append(request.url)

    def go_to(self, title):
        """Open a page by its name in the navigation, and wait until it is drawn."""
        page = self.page
        if page.locator("h1").inner_text() != title:
            narrow = page.viewport_size["width"] < 700
            if narrow:
                page.get_by_test_id("stExpandSidebarButton").click()
            page.get_by_role("link", name=title, exact=True).click()
            page.wait_for_function("title => document.querySelector('h1')?.innerText === title", arg=title)
            if narrow:
                page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
        self.settle(title)

    def settle(self, title=PAGES[0].title):
        """Wait until a page is complete and every chart is drawn."""
        (shown,) = (page for page in PAGES if page.title == title)
        self.page.wait_for_function(COMPLETE, arg=[title, len(shown.kpis), len(shown.visuals)])
        self.page.wait_for_function(DRAWN)

    def figures(self):
        return self.page.get_by_test_id("stMetricValue").all_inner_texts()

    def wait_for(self, figures, seconds=PATIENCE / 1000):
        """Tell whether the page shows some figures in time."""
        deadline = time.monotonic() + seconds
        while (shown := self.figures()) != figures and time.monotonic() < deadline:
            self.page.wait_for_timeout(50)
        return shown == figures

    def violations(self, rules=""):
        """Return what axe finds that is serious or critical; of one rule, or of all."""
        self.page.evaluate(AXE.read_text("utf-8"))
        only = {"runOnly": [rules]} if rules else {}
        found = self.page.evaluate("async (only) => (await axe.run(only)).violations", only)
        return [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")]


@pytest.fixture
def visit(browser):
    """Open windows, and close them at the end."""
    contexts = []

    def opened(scheme="light", width=1280, **options):
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        return Visitor(context)

    yield opened
    for context in contexts:
        context.close()


def expected(platform, title, currency="GBP", condition="true"):
    """Return the numbers of a page as plain SQL over the source says."""
    (page,) = (page for page in PAGES if page.title == title)
    (row,) = platform.execute(f"{OF_SOURCE[title]} where currency_code = %s and {condition}", currency)
    return [
        f"{value or 0:,.2f} {currency}" if kpi.measure.unit is Unit.MONEY else f"{value or 0:,}"
        for kpi, value in zip(page.kpis, row, strict=True)
    ]


def test_every_page_is_drawn_without_an_error_or_a_foreign_request_and_is_accessible(dashboard, visit):
    address, _ = dashboard
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for variant, (scheme, width) in VARIANTS.items():
        visitor = visit(scheme, width)
        visitor.page.goto(address)
        visitor.page.locator("h1").wait_for()
        for page in PAGES:
            visitor.go_to(page.title)
            titles = visitor.page.locator("h3").all_inner_texts()
            named = [visual.title.split(" by ")[0] for visual in page.visuals]
            assert [name for name in named if not any(title.startswith(name) for title in titles)] == []
            assert len(visitor.figures()) == len(page.kpis)
            if variant != "narrow":  # dark differs in colours only, narrow in the order of places
                found = visitor.violations("color-contrast" if variant == "dark" else "")
                assert (page.id, found) == (page.id, [])
            height = visitor.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
            visitor.page.set_viewport_size({"width": width, "height": min(height, 4000)})
            visitor.page.wait_for_function(DRAWN)
            visitor.page.screenshot(path=SCREENSHOTS / f"{page.id}-{variant}.png")
            visitor.page.set_viewport_size({"width": width, "height": 900})
        assert (visitor.errors, visitor.foreign) == ([], [])
        visitor.page.close()


def test_a_batch_moves_the_page_by_itself_figures_are_the_sources_and_a_filter_changes_them(platform, dashboard, visit):
    address, _ = dashboard
    visitor = visit()
    page = visitor.page
    page.goto(address)
    page.locator("h1").wait_for()
    visitor.settle()
    before = visitor.figures()
    platform.execute("update sales_order set units_sold = units_sold + 1000 where sales_order_id < 40")
    platform.execute("update sales_order set agreed_delivery_date = '2024-02-29' where agreed_delivery_date = 'soon'")
    platform.batch()
    after = expected(platform, "Sales")
    assert before != after and visitor.wait_for(after, SOON)

    for title in ("Purchases", "Payments", "Sales"):
        visitor.go_to(title)
        assert visitor.wait_for(expected(platform, title))
    page.get_by_role("radio", name="USD").click()
    assert visitor.wait_for(expected(platform, "Sales", "USD"))
    ((last, name),) = platform.execute(
        "select (select max(created_at)::date from sales_order), (select min(counterparty_legal_name) from counterparty)"
    )
    page.get_by_role("radio", name="30 days").click()
    assert visitor.wait_for(expected(platform, "Sales", "USD", f"sales_order.created_at::date > date '{last}' - 30"))
    page.get_by_role("radio", name="All", exact=True).click()
    page.get_by_role("combobox").click()
    page.get_by_role("option", name=name, exact=True).click()
    named = f"counterparty_id in (select counterparty_id from counterparty where counterparty_legal_name = '{name}')"
    assert visitor.wait_for(expected(platform, "Sales", "USD", named))
    assert (visitor.errors, visitor.foreign) == ([], [])


def test_a_warehouse_that_goes_away_is_one_message_and_the_page_recovers_by_itself(platform, dashboard, visit):
    address, home = dashboard
    visitor = visit()
    page = visitor.page
    page.goto(address)
    page.locator("h1").wait_for()
    visitor.settle()
    database = platform.warehouse.url.rsplit("/", 1)[1]
    administration = platform.warehouse.url.rsplit("/", 1)[0] + "/postgres"
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute(f"alter database {database} allow_connections false")
        try:
            alert = page.get_by_test_id("stAlert")
            alert.wait_for()
            assert "The warehouse does not answer" in alert.inner_text()
            assert "python -m local up" in alert.inner_text() and page.get_by_test_id("stMetricValue").count() == 0
        finally:
            connection.execute(f"alter database {database} allow_connections true")
        page.get_by_test_id("stMetricValue").first.wait_for()
        assert page.get_by_test_id("stAlert").count() == 0

        connection.execute("create database no_batch_yet")
        described = (home / "platform.json").read_text()
        (home / "platform.json").write_text(described.replace(f'/{database}"', '/no_batch_yet"'))
        page.get_by_text("There is no batch yet").wait_for()
        assert "python -m local batch" in page.get_by_test_id("stAlert").inner_text()
        (home / "platform.json").write_text(described)
        page.get_by_test_id("stMetricValue").first.wait_for()


def test_a_port_that_is_in_use_and_a_home_without_a_platform_are_one_message(dashboard, tmp_path):
    address, home = dashboard
    port = address.rsplit(":", 1)[1]
    for arguments, message in (
        (("--home", str(home), "--port", port), f"Port {port} is in use"),
        (("--home", str(tmp_path)), "python -m local up"),
        (("--home", str(tmp_path), "--file", str(tmp_path / "file")), "python -m local up"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "local", "dashboard", *arguments], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr


def test_the_file_needs_nothing_no_server_no_script_no_request(platform, browser, visit, tmp_path, monkeypatch):
    shots = {}
    monkeypatch.setattr("local.dashboard.file.headless_browser", lambda: _kept(browser))
    started = time.monotonic()
    written = write_dashboard(Home(platform.home), tmp_path)
    assert time.monotonic() - started < 60
    assert [path.name for path in written] == ["index.html", "dashboard.png", "dashboard-dark.png"]
    index = written[0]
    assert index.stat().st_size < 3_000_000
    for scheme in ("light", "dark"):
        visitor = visit(scheme, java_script_enabled=False)
        visitor.page.goto(index.as_uri())
        assert visitor.page.locator("figure svg").count() == sum(len(page.visuals) for page in PAGES) - len(
            visitor.page.locator("figure .empty").all()
        )
        assert visitor.page.locator(".kpis .value").all_inner_texts()[:3] == expected(platform, "Sales")
        assert (visitor.errors, [url for url in visitor.foreign if url != index.as_uri()]) == ([], [])
        shots[scheme] = visitor.page.screenshot(full_page=True, path=SCREENSHOTS / f"file-{scheme}.png")
    assert shots["light"] != shots["dark"]
    visitor = visit(width=400)
    visitor.page.goto(index.as_uri())
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 400
    visitor.page.screenshot(full_page=True, path=SCREENSHOTS / "file-narrow.png")
    assert visitor.violations() == []


@contextmanager
def _kept(browser):
    """The browser that there is; it stays."""
    yield browser
