"""G8: a row that fails a check is quarantined by name, nothing else waits, and it flows when the source is mended."""

import pytest

from contracts.protocol.object_layout import publication_key
from local.simulator.day import business_day


def entries(lake):
    """Open and closed entries: table, key, column, value, has an older version, is open."""
    return {
        (
            r["source_table"],
            r["source_key"],
            r["column_name"],
            r["value"],
            r["has_older_version"],
            r["closed_batch"] is None,
        )
        for r in lake("quarantine").collect()
    }


@pytest.mark.parametrize(
    ("spoil", "entry", "mend"),
    [
        (
            "update sales_order set agreed_delivery_date = '2024-02-30' where sales_order_id = 4",
            ("sales_order", 4, "agreed_delivery_date", "2024-02-30", True),
            "update sales_order set agreed_delivery_date = '2024-02-29' where sales_order_id = 4",
        ),
        (
            "update payment set payment_date = 'soon' where payment_id = 70",
            ("payment", 70, "payment_date", "soon", True),
            "update payment set payment_date = '2024-02-29' where payment_id = 70",
        ),
        (
            "update currency set currency_code = 'ZZZ' where currency_id = 3",
            ("currency", 3, "currency_code", "ZZZ", True),
            "update currency set currency_code = 'JPY' where currency_id = 3",
        ),
        (
            "update payment set payment_amount = 'NaN' where payment_id = 71",
            ("payment", 71, "payment_amount", "NaN", True),
            "update payment set payment_amount = 3.5 where payment_id = 71",
        ),
    ],
)
def test_g8_a_row_that_does_not_convert_is_held_alone_until_it_is_mended(pipeline, spark, spoil, entry, mend):
    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute(spoil)
        business_day(connection)
    assert pipeline.run(spark) == 2
    lake = pipeline.lake(spark)
    assert entries(lake) == {(*entry, True)}
    for name in STAR:  # nothing else waited: the business day is there
        with pipeline.source() as connection:
            expected = connection.execute(f"select count(*), max({name}_id) from {name}").fetchone()
        assert pipeline.warehouse(f"select count(*), max({name}_id) from {STAR[name]}") == [expected]
    with pipeline.source() as connection:
        business_day(connection)
    pipeline.run(spark)
    assert entries(lake) == {(*entry, True)}
    with pipeline.source() as connection:
        connection.execute(mend)
    pipeline.run(spark)
    assert entries(lake) == {(*entry, False)}
    assert lake("quarantine_row").count() == 0
    pipeline.assert_equal()


STAR = {"sales_order": "current_sales_order", "payment": "current_payment", "currency": "dim_currency"}


def _new_order(connection, *, date="2024-12-01", design=1):
    """A sale with its transaction and payment; returns the three keys."""
    (order,) = connection.execute(
        "insert into sales_order (created_at, last_updated, design_id, staff_id, counterparty_id, units_sold, unit_price, "
        "currency_id, agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id) "
        "values ('2024-11-20 10:00', '2024-11-20 10:00', %s, 1, 1, 1000, 2.5, 1, %s, '2024-12-01', 1) returning sales_order_id",
        (design, date),
    ).fetchone()
    (transaction,) = connection.execute(
        "insert into transaction (transaction_type, sales_order_id, created_at, last_updated) "
        "values ('SALE', %s, '2024-11-20 10:00', '2024-11-20 10:00') returning transaction_id",
        (order,),
    ).fetchone()
    (payment,) = connection.execute(
        "insert into payment (created_at, last_updated, transaction_id, counterparty_id, payment_amount, currency_id, "
        "payment_type_id, paid, payment_date, company_ac_number, counterparty_ac_number) values ('2024-11-20 10:00', "
        "'2024-11-20 10:00', %s, 1, 2500, 1, 1, false, '2024-12-01', 12345678, 87654321) returning payment_id",
        (transaction,),
    ).fetchone()
    return order, transaction, payment


@pytest.mark.parametrize("small_rows", [20_000, 0], ids=["small", "bulk"])
def test_g8_rows_that_refer_to_a_held_row_are_held_with_it_and_flow_with_it(pipeline, spark, monkeypatch, small_rows):
    monkeypatch.setattr("glue_jobs.versions.by_lookup.SMALL_ROWS", small_rows)
    pipeline.run(spark)
    with pipeline.source() as connection:
        order, transaction, payment = _new_order(connection, date="2024-13-01")
        good = _new_order(connection)
    pipeline.run(spark)
    lake = pipeline.lake(spark)
    assert entries(lake) == {
        ("sales_order", order, "agreed_delivery_date", "2024-13-01", False, True),
        ("transaction", transaction, "sales_order_id", str(order), False, True),
        ("payment", payment, "transaction_id", str(transaction), False, True),
    }
    assert lake("fact_payment").where(f"payment_id = {good[2]}").count() == 1
    tables = pipeline.document(pipeline.processed, publication_key(2))["tables"]
    assert [tables[name]["quarantined"] for name in ("fact_sales_order", "dim_transaction", "fact_payment")] == [
        1,
        1,
        1,
    ]
    with pipeline.source() as connection:
        connection.execute(
            "update sales_order set agreed_delivery_date = '2024-12-02' where sales_order_id = %s", (order,)
        )
    pipeline.run(spark)
    assert {entry[-1] for entry in entries(lake)} == {False}
    pipeline.assert_equal()


@pytest.mark.parametrize("small_rows", [20_000, 0], ids=["small", "bulk"])
def test_g8_a_first_batch_holds_back_what_it_must(pipeline, spark, monkeypatch, small_rows):
    """Also unknown references and NULLs, where the source does not forbid them."""
    monkeypatch.setattr("glue_jobs.versions.by_lookup.SMALL_ROWS", small_rows)
    with pipeline.source() as connection:
        connection.execute("alter table sales_order drop constraint sales_order_design_id_fkey")
        connection.execute("alter table staff drop constraint staff_department_id_fkey")
        connection.execute("alter table sales_order alter units_sold drop not null")
        connection.execute("update sales_order set design_id = 9999 where sales_order_id = 3")
        connection.execute("update sales_order set units_sold = null where sales_order_id = 5")
        connection.execute("update staff set department_id = 77 where staff_id = 20")
        connection.execute("update sales_order set staff_id = 20 where sales_order_id = 7")
        connection.execute("update sales_order set staff_id = 1 where staff_id = 20 and sales_order_id <> 7")
        connection.execute("update purchase_order set staff_id = 1 where staff_id = 20")
        connection.execute("update payment set company_ac_number = 55667788 where payment_id = 2")
    pipeline.run(spark)
    lake = pipeline.lake(spark)
    assert {entry[:4] for entry in entries(lake) if entry[0] in ("sales_order", "staff")} == {
        ("sales_order", 3, "design_id", "9999"),
        ("sales_order", 5, "units_sold", None),
        ("sales_order", 7, "staff_id", "20"),
        ("staff", 20, "department_id", "77"),
    }
    held = {entry[0] for entry in entries(lake)}
    assert held == {"sales_order", "staff", "transaction", "payment"}
    with pipeline.source() as connection:
        connection.execute("update sales_order set design_id = 1 where sales_order_id = 3")
        connection.execute("update sales_order set units_sold = 1 where sales_order_id = 5")
        connection.execute("update staff set department_id = 7 where staff_id = 20")
    pipeline.run(spark)
    assert {entry[-1] for entry in entries(lake)} == {False}
    pipeline.assert_equal()


def test_g8_a_held_row_that_is_deleted_is_let_go(pipeline, spark):
    pipeline.run(spark)
    with pipeline.source() as connection:
        order, transaction, payment = _new_order(connection, date="")
    pipeline.run(spark)
    with pipeline.source() as connection:
        for table, key in (("payment", payment), ("transaction", transaction), ("sales_order", order)):
            connection.execute(f"delete from {table} where {table}_id = %s", (key,))
    pipeline.extract(keys="all")
    pipeline.transform(spark)
    lake = pipeline.lake(spark)
    assert {entry[-1] for entry in entries(lake)} == {False}
    assert lake("source_deletion").count() == 0
    pipeline.load()
    pipeline.assert_equal()


def test_g12_a_held_personal_value_is_masked(spark):
    from contracts.tables.source import PAYMENT
    from glue_jobs.star.conversion import MASK, PROBLEM, problem, shown

    row = dict.fromkeys(PAYMENT.column_names, "1")
    row.update(company_ac_number="12-34-56", created_at="2024-01-01 00:00:00", last_updated="2024-01-01 00:00:00")
    row.update(paid="t", payment_date="2024-01-01", payment_amount="1.00")
    raw = spark.createDataFrame([row]).select(*PAYMENT.column_names).withColumn(PROBLEM, problem(PAYMENT))
    (found,) = raw.select(*shown(PAYMENT, raw[PROBLEM])).collect()
    assert (found["column_name"], found["value"]) == ("company_ac_number", MASK)
