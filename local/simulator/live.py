"""Business that goes on while one watches: one thing after another, on business days, a day after the last one."""

import random
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import psycopg

from local.simulator.business import PAYMENT_RUN, dates, one, record_purchase, record_sale, write
from local.simulator.day import silent_updates, standing

#: Sales and purchases of a business day of this length, from eight o'clock.
OPENING, HOURS = time(8), 11
A_DAY = 32
#: How many of them are sales, and how many events change rows without saying so.
SALES, SILENT = 23 / A_DAY, 0.05


class LiveBusiness:
    """What happens next, and when in business time.

    Parameters
    ----------
    connection
        To the source; each event is committed.
    draw
        Where chance comes from.
    """

    def __init__(self, connection: psycopg.Connection[Any], draw: random.Random) -> None:
        self._connection = connection
        self._draw = draw
        self.now: datetime = one(
            connection,
            "select greatest((select max(created_at) from sales_order), (select max(created_at) from purchase_order))",
        )
        connection.commit()

    def happen(self) -> str:
        """Let one thing happen, and return what: ``sale``, ``purchase`` or ``silent update``."""
        before = self.now.date()
        self.now = _later(self.now, self._draw)
        with self._connection.transaction():
            if self.now.date() != before:
                self._pay(before, self.now.date())
            if self._draw.random() < SILENT:
                silent_updates(self._connection, self._draw, 1)
                return "silent update"
            ledger = standing(self._connection)
            is_sale = self._draw.random() < SALES
            record: Callable[..., None] = record_sale if is_sale else record_purchase
            record(ledger, self._draw, self.now, None)
            write(self._connection, ledger)
        return "sale" if is_sale else "purchase"

    def _pay(self, before: date, today: date) -> None:
        """Make the payments that have become due since the day of the last event."""
        self._connection.execute(
            "update payment set paid = true, last_updated = %s where not paid and payment_date > %s and payment_date <= %s "
            "and created_at < %s",
            (datetime.combine(today, PAYMENT_RUN), before.isoformat(), today.isoformat(), today),
        )


def _later(moment: datetime, draw: random.Random) -> datetime:
    """Return the moment of the next event: on the same business day, or when the next one opens."""
    pause = timedelta(hours=HOURS) / A_DAY * draw.uniform(0.2, 1.8)
    later = moment + pause
    closing = datetime.combine(moment.date(), OPENING) + timedelta(hours=HOURS)
    if later <= closing and moment.weekday() < 5:
        return later
    following = next(d for d in dates(moment.date() + timedelta(days=1), 7) if d.weekday() < 5)
    return datetime.combine(following, OPENING) + pause
