"""What somebody else has done to the warehouse is found before the next batch commits, and named."""

import psycopg
import pytest

from lambdas.errors import ReconciliationError
from lambdas.load import reconciliation
from tests.support.lake import FakeLake
from tests.support.publications import dump, order, publish_some

TAMPERED = {
    "delete from fact_payment where payment_id = 4": r"table fact_payment: .*batch 1 has 4",
    "delete from fact_sales_order where sales_order_id = 1 and units_sold = 10": r"fact_sales_order: .*batch 1 has 4",
    "insert into fact_sales_order select 999, 99, created_date, created_time, last_updated_date, last_updated_time, 1, 1, 1, 1, 1, "
    "1, created_date, created_date, 1 from fact_sales_order limit 1": r"fact_sales_order: it holds 10 records, and the batches "
    r"loaded 9: some belong to no batch",
    "delete from dim_location": None,
    "delete from fact_payment; delete from dim_transaction where transaction_id = 2": r"dim_transaction: .*Missing: 2\.",
    "insert into dim_design values (1000, 'a', 'b', 'c')": r"dim_design: the warehouse would show 2 .*Unknown to the lake: 1000\.",
    "insert into dim_date values ('2024-01-01'::date - 1, 1, 1, 1, 1, '', '', 1)": None,
    "delete from etl.source_deletion where source_table = 'payment'": r"fact_payment: .*show 5 .*Unknown to the lake: 3\.",
}


@pytest.fixture
def lake(pipeline):
    lake = FakeLake(pipeline)
    publish_some(lake)
    pipeline.load()
    return lake


@pytest.mark.parametrize("statement", TAMPERED)
def test_g5_a_warehouse_that_differs_is_named_and_mended_by_a_rebuild(pipeline, lake, statement):
    lake.publish({"fact_sales_order": [order(1, 99)]})
    with psycopg.connect(pipeline.warehouse_url) as connection:
        try:
            connection.execute(statement)
        except psycopg.errors.ForeignKeyViolation:  # the database itself refuses
            assert TAMPERED[statement] is None
            return
    if TAMPERED[statement] is None:
        assert pipeline.load()["loaded"] == [4]
        return
    before = dump(pipeline.warehouse_url)
    with pytest.raises(ReconciliationError, match=r"(?s)" + TAMPERED[statement]):
        pipeline.load()
    assert dump(pipeline.warehouse_url) == before
    lake.list_files()
    assert pipeline.load({"step": "rebuild"}) | {"seconds": 0} == {"done": True, "last": 4, "seconds": 0}
    assert pipeline.load()["loaded"] == []
    assert pipeline.warehouse("select units_sold from current_sales_order where sales_order_id = 1") == [(99,)]


def test_g5_a_large_table_is_counted_by_what_a_batch_brings_and_whole_once_a_day(pipeline, monkeypatch):
    """The same batches, with every table treated as a large one: first, further, deleted and returned keys."""
    monkeypatch.setattr(reconciliation, "FULL_CHECK_KEYS", 0)
    lake = FakeLake(pipeline)
    publish_some(lake)
    assert pipeline.load()["loaded"] == [1, 2, 3]
    # deletions are rare: their tables are counted whole
    assert pipeline.warehouse("select table_name from etl.verification where batch > 1 order by 1") == [
        ("dim_date",),  # its owner may have had some of the days before
        ("dim_transaction",),
        ("fact_payment",),
        ("fact_purchase_orders",),  # empty
        ("fact_sales_order",),
    ]
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("insert into dim_staff values (50, 'x', 'x', 'x', 'x', 'x')")
    returned = [(3, "SALE", 3, None), (2, "SALE", 2, None)]
    lake.publish({"dim_transaction": returned, "fact_sales_order": [order(3, 1), order(1, 1)]})
    assert pipeline.load()["loaded"] == [4]
    staff = [(2, "Bö", "", "HR", "", "b"), (7, "New", "", "HR", "", "b")]
    lake.publish({"dim_staff": staff})
    assert pipeline.load()["loaded"] == [5]  # 50 is not looked for today
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("update etl.verification set verified_at = now() - interval '25 hours'")
    lake.publish({"dim_staff": staff[:1]})
    with pytest.raises(ReconciliationError, match=r"dim_staff.*Unknown to the lake: 50\."):
        pipeline.load()


def test_g5_keys_that_a_large_table_should_not_know_are_found(pipeline, monkeypatch):
    monkeypatch.setattr(reconciliation, "FULL_CHECK_KEYS", 0)
    lake = FakeLake(pipeline)
    publish_some(lake)
    pipeline.load()
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("insert into dim_staff values (7, 'x', 'x', 'x', 'x', 'x')")
    lake.publish({"dim_staff": [(7, "New", "", "HR", "", "b")]})
    with pytest.raises(ReconciliationError, match=r"dim_staff: the warehouse would show 2 .*published 3"):
        pipeline.load()
