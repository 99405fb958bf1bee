"""What the dashboard shows: pages, figures, charts and filters, in words that no renderer changes.

Every data set is a view that lake and warehouse have alike (`contracts.tables.views`), or the history of synchronisation. Money
is shown for one currency at a time, or split by currency; it is never added across currencies.
"""

from analytics.dashboard.parts import (
    COUNTERPARTY,
    CURRENCY,
    Chart,
    DataSet,
    Kpi,
    Measure,
    Page,
    Unit,
    Visual,
)
from contracts.tables.marts import OVERDUE_RANGES
from contracts.tables.table import Column, text
from contracts.tables.types import BIGINT, INTEGER, MOMENT
from contracts.tables.view import View
from contracts.tables.views import VIEWS

#: The currency that is chosen before anybody chooses.
FIRST_CURRENCY = "GBP"
#: Colour by currency, the same everywhere; further currencies take from `FURTHER_COLOURS`. Distinct to colour-blind eyes
#: (Okabe and Ito), and against white and near-black at 3 to 1 at least.
CURRENCY_COLOURS = {"GBP": "#0072B2", "USD": "#B35A00", "EUR": "#008A63"}
FURTHER_COLOURS = ("#B0578D", "#8A6D00", "#5B6BBF")
#: Colour of what is not split.
MAIN_COLOUR = "#0072B2"


def _of(view: View, day: str = "") -> DataSet:
    return DataSet(view.name, view.columns, day)


SALES = _of(VIEWS["sales_by_day"], "day")
PURCHASES = _of(VIEWS["purchases_by_day"], "day")
PAYMENTS = _of(VIEWS["payments_by_day"], "day")
AGEING = _of(VIEWS["payment_ageing"])
#: What each batch did to each star table; each renderer knows where it stands.
SYNC = DataSet(
    "sync",
    (
        Column("batch", INTEGER, "Number of the batch."),
        text("table_name", "Table of the star schemas."),
        Column("snapshot_time", MOMENT, "When the source was read, UTC."),
        Column("published_at", MOMENT, "When the lake showed the batch, UTC."),
        Column("loaded_at", MOMENT, "When the warehouse showed it, UTC."),
        Column("inserted", BIGINT, "Rows that are new."),
        Column("updated", BIGINT, "Rows that have changed."),
        Column("deleted", BIGINT, "Rows found deleted."),
    ),
    "loaded_at",
)

_SALES_AMOUNT = Measure("amount", "Sales", Unit.MONEY, "Units sold times unit price of current orders.")
_ORDERS = Measure("orders", "Orders", Unit.NUMBER, "Current sales orders; deleted ones do not count.")
_UNITS = Measure("units", "Totes sold", Unit.NUMBER, "Totes in current sales orders.")
_SPENT = Measure("amount", "Purchases", Unit.MONEY, "Quantity times unit price of current purchase orders.")
_PURCHASES = Measure("orders", "Orders", Unit.NUMBER, "Current purchase orders; deleted ones do not count.")
_ITEMS = Measure("items", "Items bought", Unit.NUMBER, "Items in current purchase orders.")
_PAID = Measure("amount", "Payments", Unit.MONEY, "Current payments, made or open, by the day on which they are due.")
_PAYMENTS = Measure("payments", "Payments", Unit.NUMBER, "Current payments, made or open; deleted ones do not count.")
_OPEN = Measure("open_amount", "Open", Unit.MONEY, "Current payments that are not made, whenever they are due.")
_INSERTED = Measure("inserted", "New rows", Unit.NUMBER, "Rows that were new to the star tables.")
_UPDATED = Measure("updated", "Changed rows", Unit.NUMBER, "Rows of which a new version was kept.")
_BATCH = Measure("batch", "Newest batch", Unit.NUMBER, "Number of the newest batch in the warehouse.", "max")

PAGES = (
    Page(
        "sales",
        "Sales",
        "What is sold, to whom, in which design.",
        (
            Kpi("sales-amount", _SALES_AMOUNT, SALES),
            Kpi("sales-orders", _ORDERS, SALES),
            Kpi("sales-units", _UNITS, SALES),
        ),
        (
            Visual(
                "sales-by-month", "Sales by month, each currency", Chart.LINE, SALES, _SALES_AMOUNT, "day", CURRENCY
            ),
            Visual(
                *("sales-by-design", "The ten designs that sell most", Chart.BAR, SALES, _SALES_AMOUNT),
                dimension="design_name",
                top=10,
            ),
            Visual(
                *("sales-by-customer", "The ten largest customers", Chart.BAR, SALES, _SALES_AMOUNT),
                dimension=COUNTERPARTY,
                top=10,
            ),
            Visual(
                *("sales-by-country", "The ten countries that buy most", Chart.BAR, SALES, _SALES_AMOUNT),
                dimension="counterparty_legal_country",
                top=10,
            ),
        ),
        (CURRENCY, COUNTERPARTY),
    ),
    Page(
        "purchases",
        "Purchases",
        "What is bought, from whom, by which department.",
        (
            Kpi("purchases-amount", _SPENT, PURCHASES),
            Kpi("purchases-orders", _PURCHASES, PURCHASES),
            Kpi("purchases-items", _ITEMS, PURCHASES),
        ),
        (
            Visual(
                *("purchases-by-month", "Purchases by month, each currency", Chart.LINE, PURCHASES, _SPENT, "day"),
                split=CURRENCY,
            ),
            Visual(
                *("purchases-by-supplier", "The ten largest suppliers", Chart.BAR, PURCHASES, _SPENT),
                dimension=COUNTERPARTY,
                top=10,
            ),
            Visual(
                *("purchases-by-item", "The ten items on which most is spent", Chart.BAR, PURCHASES, _SPENT),
                dimension="item_code",
                top=10,
            ),
            Visual(
                *("purchases-by-department", "Purchases by department", Chart.BAR, PURCHASES, _SPENT),
                dimension="department_name",
            ),
        ),
        (CURRENCY, COUNTERPARTY),
    ),
    Page(
        "payments",
        "Payments",
        "What is paid and what is open, and for how long it has been due.",
        (
            Kpi("payments-amount", _PAID, PAYMENTS),
            Kpi("payments-number", _PAYMENTS, PAYMENTS),
            Kpi("payments-open", _OPEN, AGEING),
        ),
        (
            Visual(
                *(
                    "payments-by-month",
                    "Payments by the month in which they are due",
                    Chart.LINE,
                    PAYMENTS,
                    _PAID,
                    "day",
                ),
                split=CURRENCY,
            ),
            Visual(
                *("payments-by-kind", "Payments by kind", Chart.BAR, PAYMENTS, _PAID),
                dimension="payment_type_name",
            ),
            Visual(
                *("payments-by-days-overdue", "Open payments by days overdue", Chart.COLUMN, AGEING, _OPEN),
                dimension="days_overdue",
                order=OVERDUE_RANGES,
            ),
            Visual(
                *("payments-by-counterparty", "The ten with most open", Chart.BAR, AGEING, _OPEN),
                dimension=COUNTERPARTY,
                top=10,
            ),
        ),
        (CURRENCY, COUNTERPARTY),
    ),
    Page(
        "platform",
        "Platform",
        "How fresh the figures are, and what each batch brought.",
        (
            Kpi("platform-batch", _BATCH, SYNC),
            Kpi("platform-inserted", _INSERTED, SYNC),
            Kpi("platform-updated", _UPDATED, SYNC),
        ),
        (
            Visual("platform-by-batch", "New rows by batch", Chart.COLUMN, SYNC, _INSERTED, "batch"),
            Visual("platform-by-table", "New rows by table", Chart.BAR, SYNC, _INSERTED, "table_name"),
            Visual("platform-changed", "Changed rows by table", Chart.BAR, SYNC, _UPDATED, "table_name"),
        ),
    ),
)
