"""Views right after a load or a rebuild, before the server has looked at the tables by itself."""

import psycopg
import pytest

from analytics.dashboard.description import PAGES
from local.dashboard.choice import Choice
from local.dashboard.data import Reader, Warehouse
from tests.support.lake import FakeLake
from tests.support.publications import DAY, NEXT, TIME, moment, order, payment, use_warehouse

COUNT = 2_000
#: Rows that a statement may go through for each row of another one.
FEW = 100


@pytest.fixture(autouse=True)
def _server_looks_at_nothing_by_itself(servers):
    """Only what the load tells the planner is known, however long a test takes."""
    with psycopg.connect(servers.warehouse.url, autocommit=True) as connection:
        connection.execute("alter system set autovacuum = off")
        connection.execute("select pg_reload_conf()")
        yield
        connection.execute("alter system reset autovacuum")
        connection.execute("select pg_reload_conf()")


@pytest.fixture
def lake(pipeline):
    lake = FakeLake(pipeline, row_group_size=COUNT)
    keys = range(1, COUNT + 1)
    staff = [(key, "Ann", "Smith", "Sales", None, "a@x") for key in keys]
    lake.publish(
        {
            "dim_date": [(day, 2024, 1, 1, 1, "Day", "January", 1) for day in (DAY, NEXT)],
            "dim_staff": staff,
            "dim_location": [(1, "1, High St", None, "", "Leeds", "01234", "Mali", "1")],
            "dim_currency": [(1, "GBP", "Pound Sterling"), (2, "USD", "Dollar")],
            "dim_design": [(1, "Tote", "/x", "1.json")],
            "dim_counterparty": [(key, "X", "1", None, None, "Y", "0", "Mali", "1") for key in keys],
            "dim_payment_type": [(1, "SALES_RECEIPT")],
            "dim_transaction": [(key, "SALE", key, None) for key in keys],
            "fact_sales_order": [order(key, 10) for key in keys],
            "fact_purchase_orders": [(key, DAY, TIME, DAY, TIME, 1, 1, "code", 3, 2, 1, DAY, NEXT, 1) for key in keys],
            "fact_payment": [payment(key, False) for key in keys],
            "dim_staff_history": [(*row, moment(1), None, True) for row in staff],
        }
    )
    return lake


class _Plans(Reader):
    """Keeps the plans of what it is asked."""

    def rows(self, statement, parameters=None):
        text = statement.as_string(self._connection)
        if text.startswith("select"):
            ((plan,),) = self._connection.execute("explain (format json) " + text, parameters).fetchall()
            self.plans = [*getattr(self, "plans", []), plan[0]["Plan"]]
        return super().rows(statement, parameters)


def _repeated(plan, sizes, is_repeated=False):
    """Name the tables that are gone through from end to end for each row of another one."""
    if is_repeated and plan["Node Type"].endswith("Scan") and "Index Cond" not in plan:
        name = plan.get("Relation Name")
        if sizes.get(name, 0) > FEW:
            yield name
    for number, part in enumerate(plan.get("Plans", ())):
        kept = plan["Node Type"] in ("Materialize", "Memoize")
        yield from _repeated(
            part, sizes, not kept and (is_repeated or (plan["Node Type"] == "Nested Loop" and number == 1))
        )


def _check_plans(url):
    with psycopg.connect(url) as connection:
        reader = _Plans(connection, Warehouse(url, "public", "etl"))
        sizes = dict(
            connection.execute(
                "select relname, pg_relation_size(oid) / 100 from pg_class where relkind = 'r'"
            ).fetchall()
        )
        assert sizes["fact_payment"] > COUNT / 2
        for page in PAGES[:3]:
            reader.page(page, Choice())
        assert len(reader.plans) > 15
        assert [name for plan in reader.plans for name in _repeated(plan, sizes)] == []


def _analyzed(pipeline):
    rows = pipeline.warehouse("select distinct tablename from pg_stats where schemaname in ('public', 'etl')")
    return {name for (name,) in rows}


LARGE = {
    *("dim_staff", "dim_counterparty", "dim_transaction", "fact_sales_order", "fact_purchase_orders", "fact_payment"),
    "dim_staff_history",
}


def test_views_are_planned_well_and_large_tables_known_after_a_first_load(pipeline, lake):
    pipeline.load()
    assert _analyzed(pipeline) == LARGE
    _check_plans(pipeline.warehouse_url)


def test_views_are_planned_well_and_large_tables_known_after_a_rebuild(pipeline, lake):
    lake.list_files()
    use_warehouse(pipeline, pipeline.servers.create_database(pipeline.servers.warehouse))
    pipeline.load({"step": "rebuild"})
    assert _analyzed(pipeline) == LARGE
    _check_plans(pipeline.warehouse_url)


def test_a_small_batch_pays_for_no_statistics(pipeline, lake, monkeypatch):
    pipeline.load()
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("update pg_class set reltuples = 1000000 where relname = 'fact_sales_order'")
        connection.execute("delete from pg_statistic where starelid = 'fact_sales_order'::regclass")
    lake.publish({"fact_sales_order": [order(key, 11) for key in range(1, 1_500)]})
    pipeline.load()
    assert "fact_sales_order" not in _analyzed(pipeline)
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("update pg_class set reltuples = 10000 where relname = 'fact_sales_order'")
    lake.publish({"fact_sales_order": [order(key, 12) for key in range(1, 1_500)]})
    pipeline.load()
    assert "fact_sales_order" in _analyzed(pipeline)
