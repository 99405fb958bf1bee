"""The figures of a page, asked of the warehouse: values are parameters, names are identifiers of the description."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from analytics.dashboard.description import FIRST_CURRENCY, SYNC
from analytics.dashboard.parts import COUNTERPARTY, CURRENCY, Chart, DataSet, Kpi, Measure, Page, Unit, Visual
from analytics.sync_history import ledger_query
from contracts.tables.ledger import BATCH
from local.dashboard import choice as days_
from local.dashboard.choice import Choice, Days, Grain
from local.dashboard.figures import KpiFigure, Newest, Options, PageFigures, Point, VisualFigures
from local.errors import PlatformDownError
from local.home import Home

#: How many batches a chart of batches shows, the newest.
BATCHES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Warehouse:
    """Where the figures stand.

    Attributes
    ----------
    url
        Connection URI.
    schema, ledger
        Schemas of the views, and of the ledger.
    """

    url: str
    schema: str
    ledger: str


def warehouse_of(home: Home) -> Warehouse:
    """Return where the warehouse of a home stands now; it has another port after each start.

    Raises
    ------
    PlatformDownError
        When the platform was never started here.
    """
    platform = home.platform()
    schema = home.state().get("warehouse_schema") or "public"
    return Warehouse(platform["warehouse_url"], schema, platform["ledger_schema"])


@contextmanager
def reading(warehouse: Warehouse) -> Iterator["Reader"]:
    """Read the warehouse as it is at one moment.

    Raises
    ------
    PlatformDownError
        When it does not answer, or stops answering; without the password.
    """
    try:
        with psycopg.connect(warehouse.url, connect_timeout=3) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield Reader(connection, warehouse)
    except psycopg.OperationalError:
        raise PlatformDownError("The warehouse does not answer. Start the platform: python -m local up") from None


def newest(warehouse: Warehouse) -> Newest | None:
    """Look at the newest batch, which is cheap; None before the first one.

    Raises
    ------
    PlatformDownError
        When the warehouse does not answer.
    """
    with reading(warehouse) as reader:
        return reader.newest()


class Reader:
    """Questions to a warehouse, within one transaction."""

    def __init__(self, connection: psycopg.Connection[Any], warehouse: Warehouse) -> None:
        self._connection = connection
        self._warehouse = warehouse
        self._days: dict[str, Days | None] = {}
        self._options: dict[str, Options] = {}

    def newest(self) -> Newest | None:
        """Return the newest batch, or None before the first one."""
        ledger = self.ledger(BATCH)
        ((there,),) = self.rows(sql.SQL("select to_regclass(%s) is not null"), [ledger.as_string(self._connection)])
        if not there:
            return None
        today = sql.SQL("(now() at time zone 'UTC')::date")
        found = self.rows(
            sql.SQL("select batch, loaded_at, {} from {} order by batch desc limit 1").format(today, ledger)
        )
        return Newest(*found[0]) if found else None

    def options(self, page: Page) -> Options:
        """Return the currencies and counterparties that a page has, the first currency first."""
        if page.id not in self._options:
            self._options[page.id] = self._read_options(page)
        return self._options[page.id]

    def _read_options(self, page: Page) -> Options:
        if not page.filters:
            return Options((FIRST_CURRENCY,), ())
        parts = [
            sql.SQL("select {}, {} from {}").format(
                sql.Identifier(CURRENCY), sql.Identifier(COUNTERPARTY), self._relation(data)
            )
            for data in _data_sets(page)
        ]
        found = self.rows(sql.SQL(" union ").join(parts))
        currencies = sorted({code for code, _ in found}, key=lambda code: (code != FIRST_CURRENCY, code))
        return Options(tuple(currencies) or (FIRST_CURRENCY,), tuple(sorted({name for _, name in found})))

    def page(self, page: Page, choice: Choice) -> PageFigures:
        """Return everything that a page shows."""
        currencies = self.options(page).currencies
        visuals = tuple(self.visual(visual, choice, currencies) for visual in page.visuals)
        return PageFigures(page, choice, tuple(self.kpi(kpi, choice) for kpi in page.kpis), visuals)

    def kpi(self, kpi: Kpi, choice: Choice) -> KpiFigure:
        """Return one number and the one of the period before; a newest one and one without days have none before."""
        days = self._days_of(kpi.data)
        shown = days and days_.chosen(choice.period, days)
        earlier = days and kpi.measure.aggregate == "sum" and days_.before(choice.period, days)
        value = self._total(kpi.data, kpi.measure, choice, shown)
        before = self._total(kpi.data, kpi.measure, choice, earlier) if earlier else None
        return KpiFigure(kpi, value, before, choice.currency if kpi.measure.unit is Unit.MONEY else "")

    def visual(self, visual: Visual, choice: Choice, currencies: tuple[str, ...] = ()) -> VisualFigures:
        """Return what a chart shows."""
        days = self._days_of(visual.data)
        shown = days and days_.chosen(choice.period, days)
        grain = days_.grain(shown) if shown and visual.chart is Chart.LINE else Grain.MONTH
        points = [Point(*row) for row in self.rows(*self._grouped(visual, choice, shown, grain))]
        if visual.chart is Chart.LINE and shown and days:
            points = [
                Point(p.dimension, p.split, p.value, days_.is_whole(p.dimension, grain, shown, days)) for p in points
            ]
        elif visual.order:
            values = {p.dimension: p for p in points}
            points = [values.get(name, Point(name, "", 0)) for name in visual.order] if points else []
        elif visual.chart is Chart.COLUMN:
            points.reverse()
        else:
            points = [point for point in points if point.value]
        money = visual.measure.unit is Unit.MONEY and not visual.all_currencies
        return VisualFigures(visual, tuple(points), choice.currency if money else "", currencies, grain, shown)

    def ledger(self, name: str) -> sql.Identifier:
        """Return a table of the ledger."""
        return sql.Identifier(self._warehouse.ledger, name)

    def rows(self, statement: sql.SQL | sql.Composed, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a query."""
        return self._connection.execute(statement, parameters or None).fetchall()

    def _relation(self, data: DataSet) -> sql.Composable:
        if data is not SYNC:
            return sql.Identifier(self._warehouse.schema, data.name)
        return sql.SQL("({}) as sync").format(sql.SQL(ledger_query(self._warehouse.ledger)))

    def _days_of(self, data: DataSet) -> Days | None:
        """Return the days of a data set, whatever is chosen; None when it has none."""
        if data.day and data.name not in self._days:
            day = sql.Identifier(data.day)
            statement = sql.SQL("select min({0})::date, max({0})::date from {1}").format(day, self._relation(data))
            ((first, last),) = self.rows(statement)
            self._days[data.name] = Days(first, last) if first else None
        return self._days.get(data.name)

    def _total(self, data: DataSet, measure: Measure, choice: Choice, shown: Days | None) -> Decimal | int | None:
        condition, parameters = _condition(data, choice, shown)
        statement = sql.SQL("select {} from {} where {}").format(_aggregate(measure), self._relation(data), condition)
        ((value,),) = self.rows(statement, parameters)
        return 0 if value is None and measure.aggregate == "sum" else value

    def _grouped(
        self, visual: Visual, choice: Choice, shown: Days | None, grain: Grain
    ) -> tuple[sql.Composed, list[Any]]:
        condition, parameters = _condition(visual.data, choice, shown, all_currencies=visual.all_currencies)
        dimension: sql.Composable = sql.Identifier(visual.dimension)
        limit: int | None = visual.top or None
        order = sql.SQL("3 desc, 1")
        if visual.chart is Chart.LINE:
            dimension = sql.SQL("date_trunc({}, {})::date").format(sql.Literal(grain.value), dimension)
            order = sql.SQL("1, 2")
        elif visual.chart is Chart.COLUMN and not visual.order:
            order, limit = sql.SQL("1 desc"), BATCHES_SHOWN
        statement = sql.SQL(
            "select {} as dimension, {}::text as split, {} as value from {} where {} group by 1, 2 order by {} limit {}"
        ).format(
            dimension,
            sql.Identifier(visual.split) if visual.split else sql.Literal(""),
            _aggregate(visual.measure),
            self._relation(visual.data),
            condition,
            order,
            sql.Literal(limit),
        )
        return statement, parameters


def _data_sets(page: Page) -> list[DataSet]:
    """Return the data sets of a page, each once."""
    parts: list[Kpi | Visual] = [*page.kpis, *page.visuals]
    return list({part.data.name: part.data for part in parts}.values())


def _aggregate(measure: Measure) -> sql.Composed:
    if measure.aggregate not in ("sum", "max"):
        raise ValueError(f"aggregate is {measure.aggregate!r}, expected sum or max")
    return sql.SQL(measure.aggregate + "({})").format(sql.Identifier(measure.column))


def _condition(
    data: DataSet, choice: Choice, shown: Days | None, *, all_currencies: bool = False
) -> tuple[sql.Composable, list[Any]]:
    """Return what a reader's choice leaves of a data set, and the parameters of it."""
    columns = {column.name for column in data.columns}
    parts: list[sql.Composable] = []
    parameters: list[Any] = []
    if shown:
        parts.append(sql.SQL("{}::date between %s and %s").format(sql.Identifier(data.day)))
        parameters += [shown.first, shown.last]
    if CURRENCY in columns and not all_currencies:
        parts.append(sql.SQL("{} = %s").format(sql.Identifier(CURRENCY)))
        parameters.append(choice.currency)
    if COUNTERPARTY in columns and choice.counterparties:
        parts.append(sql.SQL("{} = any(%s)").format(sql.Identifier(COUNTERPARTY)))
        parameters.append(list(choice.counterparties))
    return (sql.SQL(" and ").join(parts) if parts else sql.SQL("true")), parameters
