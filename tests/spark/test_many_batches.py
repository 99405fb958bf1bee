"""Many small batches, then maintenance, under the eyes of two readers. ``MANY_BATCHES`` says how many."""

import os
import threading
import time

import pytest

from contracts.tables.lake import LAKE_TABLES
from contracts.tables.star import FACTS
from glue_jobs.lake.tables import Lake
from local.query import query
from local.servers.emulator_process import REGION

BATCHES = int(os.environ.get("MANY_BATCHES", "8"))
#: Payments whose newest record is read, all records, and how often a record id stands twice.
STATEMENT = """select count(*) as payments, sum(records) as records, count(distinct newest) as newest, sum(ids) as ids
from (select payment_id, count(*) as records, max(payment_record_id) as newest, count(distinct payment_record_id) as ids
from {} group by payment_id) p"""


class Reader(threading.Thread):
    """Asks the same question again and again, and keeps the answers and the first error.

    It rests four times as long as the answer took, so that readers leave the batches most of the machine.
    """

    def __init__(self, ask):
        super().__init__()
        self.ask = ask
        self.answers, self.error, self.done = [], None, threading.Event()

    def run(self):
        while not self.done.is_set():
            asked = time.monotonic()
            try:
                self.answers.append(tuple(map(int, self.ask())))
            except Exception as error:
                self.error = error
                return
            self.done.wait(max(1, 4 * (time.monotonic() - asked)))

    def stop(self):
        self.done.set()
        self.join()


@pytest.fixture
def readers(pipeline, spark):
    pipeline.run(spark)
    pipeline.servers.client("athena").create_work_group(
        Name=pipeline.database,
        Configuration={
            "EnforceWorkGroupConfiguration": True,
            "ResultConfiguration": {"OutputLocation": f"s3://{pipeline.processed}/results/"},
        },
    )
    platform = {
        "endpoint": pipeline.servers.endpoint,
        "region": REGION,
        "database": pipeline.database,
        "workgroup": pipeline.database,
    }
    session = spark.newSession()
    table = Lake(session, pipeline.database, pipeline.processed).name(LAKE_TABLES["fact_payment"])

    def ask_spark():
        session.sql(f"refresh table {table}")  # a session remembers a table for 30 seconds
        return session.sql(STATEMENT.format(table)).collect()[0]

    started = [
        Reader(lambda: query(platform, STATEMENT.format("fact_payment")).iloc[0]),
        Reader(ask_spark),
    ]
    for reader in started:
        reader.start()
    yield started
    for reader in started:
        reader.stop()


def test_g3_readers_see_every_payment_once_through_many_batches_and_maintenance(pipeline, spark, readers):
    (payments,) = pipeline.warehouse("select count(*) from fact_payment")[0]
    for number in range(BATCHES):
        with pipeline.source() as connection:
            connection.execute(
                "update payment set payment_amount = %s where payment_id %% 5 = %s", (number + 1, number % 5)
            )
            connection.execute("update design set file_name = %s where design_id = 1", (f"{number}.json",))
            connection.execute("update sales_order set units_sold = %s where sales_order_id = 1", (2000 + number,))
        pipeline.run(spark)
    lake = Lake(spark, pipeline.database, pipeline.processed)
    manifests = spark.table(f"{lake.name(LAKE_TABLES['fact_payment'])}.manifests").count()
    assert manifests <= 8  # not one for each batch
    pipeline.transform(spark, mode="maintain", keep_days=1)
    seen = [len(reader.answers) for reader in readers]
    for reader, before in zip(readers, seen, strict=True):
        # The second answer from now on was asked for after the last file was replaced.
        while len(reader.answers) < before + 2 and reader.error is None:
            time.sleep(0.1)
        reader.stop()
        assert reader.error is None, reader.error
        assert len(reader.answers) > 2
        records = [answer[1] for answer in reader.answers]
        assert records == sorted(records) and records[-1] > payments
        assert {answer[0] for answer in reader.answers} == {answer[2] for answer in reader.answers} == {payments}
        assert all(answer[1] == answer[3] for answer in reader.answers)
    for table in LAKE_TABLES.values():
        months = 1
        if table in FACTS:
            months = spark.sql(f"select count(distinct trunc(created_date, 'month')) from {lake.name(table)}").first()[
                0
            ]
        assert spark.table(f"{lake.name(table)}.files").count() <= months + 2, table.name
    pipeline.assert_equal()
