"""G8: dates from year 1 to 9999 and negative keys flow, through every path, a later batch and maintenance."""

import random
from dataclasses import replace

import pytest
from pyspark.sql import functions as F

from contracts.checksum import mix, mix_sql
from contracts.protocol.object_layout import publication_key
from tests.spark.model import checks
from tests.spark.model.expected import FACTS, GOOD, Expected
from tests.spark.model.machine import first_source, new_order
from tests.spark.model.stage import Stage

ORDER = (
    "insert into sales_order (sales_order_id, created_at, last_updated, design_id, staff_id, counterparty_id, units_sold, "
    "unit_price, currency_id, agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id) "
    "values (%s, %s, '2024-11-20 10:00', %s, 1, 1, 1000, 2.5, 1, %s, '2024-12-01', 1)"
)
TRANSACTION = (
    "insert into transaction (transaction_id, transaction_type, sales_order_id, created_at, last_updated) "
    "values (%s, 'SALE', %s, '2024-11-20 10:00', '2024-11-20 10:00')"
)
PAYMENT = (
    "insert into payment (payment_id, created_at, last_updated, transaction_id, counterparty_id, payment_amount, currency_id, "
    "payment_type_id, paid, payment_date, company_ac_number, counterparty_ac_number) values (%s, %s, '2024-11-20 10:00', "
    "%s, 1, 2500, 1, 1, false, %s, 12345678, 87654321)"
)
#: Key of the order, its transaction and its payment; when it was written; when it is due.
ODD = [
    (-1, "2024-11-20 10:00:00", "0024-11-15"),
    (-7, "0024-11-15 10:00:00.5", "2204-02-29"),
    (-100_000, "1969-12-31 23:59:59.999", "9999-12-31"),
    (-(2**31), "0001-01-01 00:00:00", "0001-01-01"),
    (2**31 - 1, "9999-12-31 23:59:59", "1900-02-28"),
]
CALENDAR = """select count(*), count(distinct date_id), count(*) filter (where (year, month, day, day_of_week, day_name, month_name,
quarter) is distinct from (extract(year from date_id)::int, extract(month from date_id)::int, extract(day from date_id)::int,
extract(isodow from date_id)::int, to_char(date_id, 'FMDay'), to_char(date_id, 'FMMonth'), extract(quarter from date_id)::int))
from dim_date where year = any(%s)"""


@pytest.mark.parametrize("small_rows", [20_000, 0], ids=["small", "bulk"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_g8_odd_dates_and_negative_keys_flow(pipeline, spark, monkeypatch, small_rows, first):
    monkeypatch.setattr("glue_jobs.versions.by_lookup.SMALL_ROWS", small_rows)
    if not first:
        pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute("insert into design values (-1, '0024-11-15', 'odd', 'f', 'n', now())")
        for key, written, due in ODD:
            connection.execute(ORDER, (key, written, -1, due))
            connection.execute(TRANSACTION, (key, key))
            connection.execute(PAYMENT, (key, written, key, due))
    pipeline.run(spark)
    pipeline.assert_equal()
    keys = [key for key, _, _ in ODD]
    for mode in ("transform", "maintain"):
        pipeline.transform(spark, mode=mode, keep_days=0)
        with pipeline.source() as connection:
            connection.execute(
                "update sales_order set units_sold = units_sold + 1 where sales_order_id = any(%s)", (keys,)
            )
            connection.execute("update payment set paid = not paid where payment_id = any(%s)", (keys,))
            connection.execute(
                "update transaction set transaction_type = 'PURCHASE' where transaction_id = any(%s)", (keys,)
            )
            connection.execute("update design set file_name = %s where design_id = -1", (mode,))
        pipeline.run(spark)
        pipeline.assert_equal()
    years = [1, 24, 1900, 1969, 2024, 2204, 9999]
    leap = sum(year % 4 == 0 and year != 1900 for year in years)
    assert pipeline.warehouse(CALENDAR, years) == [(365 * len(years) + leap,) * 2 + (0,)]
    records = "select count(*), count(distinct sales_record_id) from fact_sales_order where sales_order_id = any(%s)"
    assert pipeline.warehouse(records, keys) == [(3 * len(keys),) * 2]


def test_g5_the_checksum_of_any_keys_is_the_same_on_spark(spark):
    chance = random.Random(1)
    keys = [chance.randrange(-(2**31), 2**31) for _ in range(5000)]
    keys += [*range(-300, 300), -(2**31), -(2**31) + 1, 2**31 - 1]
    frame = spark.createDataFrame([(key,) for key in keys], "key int").select(
        "key", F.expr(mix_sql("`key`")).alias("mix")
    )
    assert {row["key"]: row["mix"] for row in frame.collect()} == {key: mix(key) for key in keys}


def test_g8_a_lake_whose_publication_is_of_format_1_goes_on(servers, spark):
    """Its publication says nothing of the calendar, which has a gap; and its batches are of no lake."""
    stage, source, expected = Stage(servers, spark), first_source(), Expected()
    stage.commit(source, {}, keys=True, is_full=True)
    for key, day in {1: GOOD, 2: "2031-01-01"}.items():
        new_order(source, key, day=day)
    read = dict.fromkeys(FACTS, (1, 2))
    expected.apply(stage.commit(source, read, keys=False).batch, source, read, False)
    stage.run()
    stage.processed.put(publication_key(2), replace(stage.published(), format=1).to_json())
    assert stage.published().calendar is None
    for key, day in {3: "2031-07-01", 4: "2204-01-01"}.items():
        new_order(source, key, day=day)
    read = dict.fromkeys(FACTS, (3, 4))
    expected.apply(stage.commit(source, read, keys=False).batch, source, read, False)
    stage.run()
    checks.lake(stage, expected)
    assert len(stage.published().calendar) == 3
