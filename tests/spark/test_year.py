"""A year of weeks: batches, Sundays with maintenance, rows that are quarantined for weeks, and everything that happens once.

``YEAR_WEEKS`` says how many; ``make year`` runs 60.
"""

import os
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

WEEKS = int(os.environ.get("YEAR_WEEKS", "12"))
#: Weeks in which the warehouse is down, is rebuilt, and in which batches are replayed.
DOWN = range(WEEKS // 3, WEEKS // 3 + 3)
REBUILT, REPLAYED = DOWN.stop + 1, WEEKS - 2
PAYMENTS, DESIGNS = range(1, 41), range(1, 4)


class Year:
    """A source that changes every week, and how many versions of what it has had."""

    def __init__(self, pipeline):
        self.pipeline = pipeline
        self.payments, self.designs = Counter(PAYMENTS), Counter(DESIGNS)
        self.gone = None
        self.spoilt = 0

    def week(self, week):
        with self.pipeline.source() as connection:
            self._pay(connection, 1 + week % 7)
            if week % 4 == 0:
                design = 1 + week % 3
                connection.execute("update design set file_name = %s where design_id = %s", (f"{week}.json", design))
                self.designs[design] += 1
            if week % 5 == 1:
                self.spoilt += self.deliver(connection, week, "soon")
            if week % 5 == 4:
                self.deliver(connection, week - 3, "2024-05-06")
            if week % 6 == 2:
                self._delete(connection, 10 + week % 30)
            if week % 6 == 5:
                self._bring_back(connection)

    def deliver(self, connection, order, text):
        statement = "update sales_order set agreed_delivery_date = %s where sales_order_id = %s"
        return connection.execute(statement, (text, order)).rowcount

    def _pay(self, connection, payment):
        connection.execute("update payment set payment_amount = payment_amount + 1 where payment_id = %s", (payment,))
        self.payments[payment] += 1

    def _delete(self, connection, payment):
        self.gone = connection.execute("delete from payment where payment_id = %s returning *", (payment,)).fetchone()

    def _bring_back(self, connection):
        if self.gone:
            connection.execute(f"insert into payment values ({', '.join(['%s'] * len(self.gone))})", self.gone)
            self.payments[self.gone[0]] += 1
            self.gone = None

    def end(self):
        """Mend everything that is still spoilt."""
        with self.pipeline.source() as connection:
            connection.execute(
                "update sales_order set agreed_delivery_date = '2024-05-07' where agreed_delivery_date = 'soon'"
            )
            self._bring_back(connection)


def _begin_week(monkeypatch, begins):
    """Whatever was committed before this week is older than seven days."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return (begins + timedelta(days=7)).astimezone(tz)

    monkeypatch.setattr("glue_jobs.lake.maintenance.datetime", Clock)


def _sunday(pipeline, spark, week):
    pipeline.transform(spark, mode="maintain")
    if week == REBUILT:
        pipeline.transform(spark, mode="list")
        assert pipeline.load({"step": "rebuild"})["done"]
    if week == REPLAYED:
        into = f"{pipeline.database}_replay"
        pipeline.transform(spark, mode="replay", **{"from": 1, "to": 2, "into": into})
        assert pipeline.lake(spark, into)("fact_payment").where("batch_id = 2").count() > 0


@pytest.mark.skipif(WEEKS < 12, reason="YEAR_WEEKS is below 12: not everything would happen")
def test_g3_a_year_of_sundays_and_no_run_fails(pipeline, spark, monkeypatch):
    pipeline.run(spark)
    year = Year(pipeline)
    for week in range(1, WEEKS + 1):
        _begin_week(monkeypatch, datetime.now(UTC))
        year.week(week)
        pipeline.extract(**({"keys": "all"} if week % 6 == 2 else {}))
        pipeline.transform(spark)
        if week not in DOWN:
            assert len(pipeline.load()["loaded"]) == (1 + len(DOWN) if week == DOWN.stop else 1)
        _sunday(pipeline, spark, week)
    year.end()
    pipeline.run(spark)
    pipeline.assert_equal()
    found = dict(
        pipeline.warehouse(
            "select payment_id, count(*) from fact_payment where payment_id = any(%s) group by payment_id", [*PAYMENTS]
        )
    )
    assert found == {payment: year.payments[payment] for payment in PAYMENTS}
    versions = "select design_id, count(*) from history_design where design_id = any(%s) group by design_id"
    assert dict(pipeline.warehouse(versions, [*DESIGNS])) == dict(year.designs)
    entries = pipeline.lake(spark)("quarantine").collect()
    assert len(entries) == year.spoilt > 2 and all(row["closed_batch"] is not None for row in entries)
