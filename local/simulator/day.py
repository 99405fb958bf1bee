"""A business day: payments made, new orders and designs, and rows that change without saying so."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg

from local.simulator.business import PAYMENT_RUN, Ledger, dates, day_of_orders, one, write


def business_day(connection: psycopg.Connection[Any], *, seed: int | None = None) -> dict[str, int]:
    """Let the next business day happen: payments, new orders, new designs and silent updates.

    Returns
    -------
    dict
        ``paid``, ``sales``, ``purchases``, ``designs`` and ``silent`` updates.
    """
    ledger = standing(connection)
    last = one(connection, "select max(created_at)::date from sales_order")
    day = next(d for d in dates(last + timedelta(days=1), 7) if d.weekday() < 5)
    draw = random.Random(seed if seed is not None else day.toordinal())  # noqa: S311 - a simulation
    with connection.transaction():
        paid = connection.execute(
            "update payment set paid = true, last_updated = %s where not paid and payment_date = %s and created_at < %s",
            (datetime.combine(day, PAYMENT_RUN), day.isoformat(), day),
        ).rowcount
    sales, purchases = draw.randint(15, 31), draw.randint(5, 13)
    day_of_orders(ledger, draw, day, sales, purchases, None)
    counts = {"sales": sales, "purchases": purchases, "designs": len(ledger.rows.get("design", ()))}
    with connection.transaction():
        write(connection, ledger)
    return {"paid": paid, **counts, "silent": silent_updates(connection, draw)}


def silent_updates(connection: psycopg.Connection[Any], draw: random.Random, count: int = 3) -> int:
    """Change rows of each kind that changes silently, without moving ``last_updated``."""
    later = "to_char(agreed_delivery_date::date + 1, 'YYYY-MM-DD')"
    changes: dict[str, Sequence[str]] = {
        "sales_order": (
            "staff_id = staff_id %% 20 + 1",
            f"agreed_delivery_date = {later}",
            "agreed_delivery_location_id = agreed_delivery_location_id %% 30 + 1",
        ),
        "purchase_order": (
            "staff_id = staff_id %% 20 + 1",
            "item_code = reverse(item_code)",
            f"agreed_delivery_date = {later}",
        ),
        "design": ("file_location = file_location || '/moved'",),
    }
    done = 0
    for table, assignments in changes.items():
        top = one(connection, f"select max({table}_id) from {table}")  # noqa: S608 - own constants
        for _ in range(count):
            with connection.transaction():
                done += connection.execute(
                    f"update {table} set {draw.choice(assignments)} where {table}_id = %s",  # noqa: S608
                    (draw.randint(1, top),),
                ).rowcount
    return done


def standing(connection: psycopg.Connection[Any]) -> Ledger:
    """Return where the source's sequences stand."""

    def top(table: str) -> int:
        return int(one(connection, f"select coalesce(max({table}_id), 0) from {table}"))  # noqa: S608 - own constants

    return Ledger(
        sales=top("sales_order"),
        purchases=top("purchase_order"),
        transactions=top("transaction"),
        payments=top("payment"),
        designs=top("design"),
        addresses=top("address"),
        counterparties=top("counterparty"),
        staff=top("staff"),
    )
