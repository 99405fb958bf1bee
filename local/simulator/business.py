"""The business of Terrific Totes: reference data, orders with their transactions and payments, and changes.

Everything follows from a seed, so that two runs with the same seed write the same rows.
"""

import random
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib import resources
from typing import Any

import psycopg
from psycopg import sql

from local.simulator import people

SALES_A_DAY, PURCHASES_A_DAY = 23, 9
PAYMENT_RUN = time(7, 55, 11)

Row = tuple[Any, ...]


@dataclass(slots=True)
class Ledger:
    """Where the sequences stand, and what there is to refer to."""

    sales: int = 0
    purchases: int = 0
    transactions: int = 0
    payments: int = 0
    designs: int = 0
    addresses: int = 30
    counterparties: int = 20
    staff: int = 20
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, table: str, *row: Any) -> None:
        """Remember a row to be written."""
        self.rows.setdefault(table, []).append(row)


def create_schema(connection: psycopg.Connection[Any]) -> None:
    """Create the source's tables in an empty database."""
    connection.execute(resources.files("local.simulator").joinpath("schema.sql").read_bytes())


def seed(
    connection: psycopg.Connection[Any], *, days: int, orders: int | None = None, seed: int = 20221103
) -> datetime:
    """Fill an empty source with the business of `days` days.

    Parameters
    ----------
    days
        Calendar days after the seeding of the real database, 2022-11-03.
    orders
        Sales orders altogether; without it about 23 a weekday, as in the real database.
    seed
        Of the random numbers.

    Returns
    -------
    datetime
        The end of the last day.
    """
    draw = random.Random(seed)  # noqa: S311 - a simulation
    ledger = Ledger()
    _reference(ledger, draw)
    weekdays = [d for d in dates(people.SEEDED_AT.date() + timedelta(days=1), days) if d.weekday() < 5]
    end = datetime.combine(people.SEEDED_AT.date() + timedelta(days=days), time(19))
    for _ in range(5):
        record_sale(ledger, draw, people.SEEDED_AT, end)
        record_purchase(ledger, draw, people.SEEDED_AT, end)
    per_day = orders / max(1, len(weekdays)) if orders is not None else SALES_A_DAY
    due = 0.0
    for day in weekdays:
        due += per_day
        sales = int(due) if orders is not None else draw.randint(SALES_A_DAY - 8, SALES_A_DAY + 8)
        due -= int(due)
        day_of_orders(ledger, draw, day, sales, round(sales * PURCHASES_A_DAY / SALES_A_DAY), end)
    write(connection, ledger)
    return end


def _reference(ledger: Ledger, draw: random.Random) -> None:
    stamp = people.SEEDED_AT
    for n in range(ledger.addresses):
        city, country = people.CITIES[n % len(people.CITIES)]
        line = f"{draw.randint(1, 9999)} {people.STREETS[n % len(people.STREETS)]}"
        flat = None if n % 3 else f"Apt. {n}, rear"
        district = None if n % 4 else "Avon"
        phone = f"{draw.randint(1000, 9999)} {draw.randint(100000, 999999)}"
        ledger.add(
            "address", n + 1, line, flat, district, city, f"{draw.randint(0, 99999):05d}", country, phone, stamp, stamp
        )
    for n in range(ledger.counterparties):
        name = people.COMPANIES[n % len(people.COMPANIES)] + ("" if n < len(people.COMPANIES) else f" {n}")
        contact = None if n % 5 == 0 else f"{draw.choice(people.FIRST_NAMES)} {draw.choice(people.LAST_NAMES)}"
        ledger.add("counterparty", n + 1, name, draw.randint(1, 14), contact, contact, stamp, stamp)
    for n, code in enumerate(people.CURRENCIES):
        ledger.add("currency", n + 1, code, stamp, stamp)
    for n, department in enumerate(people.DEPARTMENTS):
        ledger.add("department", n + 1, *department, stamp, stamp)
    for n in range(ledger.staff):
        first, last = people.FIRST_NAMES[n % 10], people.LAST_NAMES[(n * 7 + n // 10) % 10]
        mail = f"{first}.{last}@terrifictotes.com".lower().replace(" ", "")
        ledger.add("staff", n + 1, first, last, draw.randint(1, 8), mail, stamp, stamp)
    for n, kind in enumerate(people.PAYMENT_TYPES):
        ledger.add("payment_type", n + 1, kind, stamp, stamp)
    for _ in range(10):
        _design(ledger, draw, stamp)


def day_of_orders(
    ledger: Ledger, draw: random.Random, day: date, sales: int, purchases: int, until: datetime | None
) -> None:
    """Remember the orders and designs of one day; payments due until `until` are paid."""
    opening = datetime.combine(day, time(8))
    moments = sorted(
        (opening + timedelta(milliseconds=draw.randrange(11 * 3_600_000)), kind)
        for kind, count in (("sale", sales), ("purchase", purchases), ("design", draw.randint(0, 2)))
        for _ in range(count)
    )
    for moment, kind in moments:
        if kind == "design":
            _design(ledger, draw, moment)
        else:
            (record_sale if kind == "sale" else record_purchase)(ledger, draw, moment, until)


def _design(ledger: Ledger, draw: random.Random, stamp: datetime) -> None:
    ledger.designs += 1
    name = draw.choice(people.MATERIALS)
    place = draw.choice(("/usr", "/private/var", "/home/user/dir", "/usr/local/src"))
    file = f"{name.lower()}-{stamp:%Y%m%d}-{draw.randrange(16**4):04x}.json"
    ledger.add("design", ledger.designs, stamp, name, place, file, stamp)


def record_sale(ledger: Ledger, draw: random.Random, stamp: datetime, until: datetime | None) -> None:
    """Remember a sale with its transaction and payment, which is paid when it is due until `until`."""
    ledger.sales += 1
    units, price = draw.randint(1_000, 100_000), Decimal(draw.randint(200, 400)) / 100
    # fmt: off
    common = _agreed(ledger, draw, stamp)
    ledger.add(
        "sales_order", ledger.sales, stamp, stamp, draw.randint(1, ledger.designs), common.staff, common.counterparty,
        units, price, common.currency, common.delivery, common.payment, common.location,
    )
    # fmt: on
    _pay(ledger, draw, stamp, common, ("SALE", ledger.sales, None), 1, units * price, until)


def record_purchase(ledger: Ledger, draw: random.Random, stamp: datetime, until: datetime | None) -> None:
    """Remember a purchase with its transaction and payment, which is paid when it is due until `until`."""
    ledger.purchases += 1
    quantity, price = draw.randint(1, 999), Decimal(draw.randint(332, 99907)) / 100
    code = "".join(draw.choices(string.ascii_uppercase + string.digits, k=3)) + f"{ledger.purchases % 10_000:04d}"
    # fmt: off
    common = _agreed(ledger, draw, stamp)
    ledger.add(
        "purchase_order", ledger.purchases, stamp, stamp, common.staff, common.counterparty, code, quantity, price,
        common.currency, common.delivery, common.payment, common.location,
    )
    # fmt: on
    _pay(ledger, draw, stamp, common, ("PURCHASE", None, ledger.purchases), 3, quantity * price, until)


@dataclass(frozen=True, slots=True)
class _Agreed:
    """What both kinds of order agree on."""

    staff: int
    counterparty: int
    currency: int
    delivery: str
    payment: str
    location: int


def _agreed(ledger: Ledger, draw: random.Random, stamp: datetime) -> _Agreed:
    return _Agreed(
        staff=draw.randint(1, ledger.staff),
        counterparty=draw.randint(1, ledger.counterparties),
        currency=draw.randint(1, len(people.CURRENCIES)),
        delivery=(stamp.date() + timedelta(days=draw.randint(0, 7))).isoformat(),
        payment=(stamp.date() + timedelta(days=draw.randint(0, 6))).isoformat(),
        location=draw.randint(1, ledger.addresses),
    )


def _pay(
    ledger: Ledger,
    draw: random.Random,
    stamp: datetime,
    agreed: _Agreed,
    order: tuple[str, int | None, int | None],
    payment_type: int,
    amount: Decimal,
    until: datetime | None,
) -> None:
    ledger.transactions += 1
    ledger.payments += 1
    due = date.fromisoformat(agreed.payment)
    run = datetime.combine(due, PAYMENT_RUN)
    paid = until is not None and due > stamp.date() and due.weekday() < 5 and run <= until
    ledger.add("transaction", ledger.transactions, *order, stamp, stamp)
    # fmt: off
    ledger.add(
        "payment", ledger.payments, stamp, run if paid else stamp, ledger.transactions, agreed.counterparty, amount,
        agreed.currency, payment_type, paid, agreed.payment, draw.randint(10**7, 10**8 - 1), draw.randint(10**7, 10**8 - 1),
    )
    # fmt: on


def write(connection: psycopg.Connection[Any], ledger: Ledger) -> None:
    """Write the rows that a ledger remembers, in the order that foreign keys want, and move the sequences."""
    order = ("address", "counterparty", "currency", "department", "design", "staff", "payment_type")
    for table in (*order, "sales_order", "purchase_order", "transaction", "payment"):
        rows = ledger.rows.get(table)
        if not rows:
            continue
        with (
            connection.cursor() as cursor,
            cursor.copy(sql.SQL("copy {} from stdin").format(sql.Identifier(table))) as copy,
        ):
            for row in rows:
                copy.write_row(row)
        key = sql.Identifier(f"{table}_id")
        connection.execute(
            sql.SQL("select setval(pg_get_serial_sequence({}, {}), (select max({}) from {}))").format(
                sql.Literal(table), sql.Literal(f"{table}_id"), key, sql.Identifier(table)
            )
        )


def one(connection: psycopg.Connection[Any], query: str) -> Any:
    """Return the one value that a query selects."""
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def dates(first: date, days: int) -> Iterator[date]:
    """Return `days` days from `first` on."""
    return (first + timedelta(days=n) for n in range(days))
