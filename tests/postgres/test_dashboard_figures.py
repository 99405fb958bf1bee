"""The dashboard's questions to a real warehouse, and business that goes on in a real source."""

import random
import threading
from datetime import time

import psycopg
import pytest

from analytics.dashboard.description import PAGES
from local import live
from local.dashboard import history
from local.dashboard.choice import PERIODS, Choice
from local.dashboard.data import Warehouse, newest, reading
from local.errors import LocalError
from local.simulator.live import LiveBusiness
from tests.support.lake import FakeLake

CURRENCIES = [(1, "GBP", "Pound Sterling"), (2, "USD", "US Dollar")]
EVIL = "'); drop schema star cascade; --"


def test_a_warehouse_without_a_batch_or_without_orders_has_figures_of_nothing(pipeline, monkeypatch):
    warehouse = Warehouse(pipeline.warehouse_url, "star", 'books "1"')
    assert newest(warehouse) is None
    monkeypatch.setenv("WAREHOUSE_SCHEMA", warehouse.schema)
    monkeypatch.setenv("LEDGER_SCHEMA", warehouse.ledger)
    FakeLake(pipeline).publish({"dim_currency": CURRENCIES})
    pipeline.load()
    assert newest(warehouse).batch == 1
    with reading(warehouse) as reader:
        for page in PAGES[:3]:
            for choice in (Choice(), Choice(PERIODS[1], EVIL, (EVIL,))):
                found = reader.page(page, choice)
                assert [kpi.value for kpi in found.kpis] == [0, 0, 0] and not any(v.points for v in found.visuals)
            assert reader.options(page).currencies == ("GBP",)
        platform = reader.page(PAGES[3], Choice())
        assert [kpi.value for kpi in platform.kpis] == [1, 2, 0]
        assert [(p.dimension, p.value) for p in platform.visuals[1].points] == [("dim_currency", 2)]
        (batch,), tables = history.loaded_batches(reader), history.tables(reader)
        assert (batch.batch, batch.inserted, batch.updated, batch.deleted) == (1, 2, 0, 0)
        assert [t.inserted for t in tables if t.table == "dim_currency"] == [2]


def test_business_goes_on_one_thing_after_another_on_business_days(pipeline):
    with psycopg.connect(pipeline.source_url) as connection:
        business = LiveBusiness(connection, random.Random(4))
        before = business.now
        happened = [business.happen() for _ in range(80)]
        assert {"sale", "purchase", "silent update"} == set(happened)
        moments = connection.execute(
            "select created_at from sales_order where created_at > %s union all "
            "select created_at from purchase_order where created_at > %s order by 1",
            (before, before),
        ).fetchall()
        assert len(moments) == len(happened) - happened.count("silent update")
        assert all(m.weekday() < 5 and time(8) <= m.time() <= time(19) for (m,) in moments)
        assert moments[-1][0].date() > before.date()
        ((paid,),) = connection.execute(
            "select count(*) from payment where paid and last_updated > %s", (before,)
        ).fetchall()
        assert paid > 0


def test_business_stops_when_it_is_told_to_and_says_when_the_source_is_gone(pipeline):
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    live._business({"source_url": pipeline.source_url}, 6000, lambda text: None, stop)
    with pytest.raises(LocalError, match="python -m local up") as gone:
        live._business({"source_url": "postgresql://u:hunter2@127.0.0.1:1/x"}, 6000, lambda text: None, stop)
    assert "hunter2" not in str(gone.value)
