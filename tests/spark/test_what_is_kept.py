"""G8 and G3: maintenance takes nothing that the next batch, a waiting load or a batch that is left out still needs."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.protocol.object_layout import load_key
from contracts.tables.lake import QUARANTINE, QUARANTINE_ROW
from contracts.tables.star import FACT_PAYMENT
from glue_jobs.lake.tables import Lake
from local.simulator.day import business_day


def _deliver(pipeline, key, text):
    with pipeline.source() as connection:
        connection.execute("update sales_order set agreed_delivery_date = %s where sales_order_id = %s", (text, key))


def _later(monkeypatch, days):
    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=days)

    monkeypatch.setattr("glue_jobs.lake.maintenance.datetime", Later)


@pytest.mark.parametrize("mended", [True, False])
def test_g8_rows_are_quarantined_and_pass_after_maintenance(pipeline, spark, mended):
    pipeline.run(spark)
    _deliver(pipeline, 1, "soon")
    pipeline.run(spark)
    if mended:
        _deliver(pipeline, 1, "2024-05-05")
        pipeline.run(spark)
    pipeline.transform(spark, mode="maintain", keep_days=0)
    _deliver(pipeline, 2, "later")
    pipeline.run(spark)
    open_keys = pipeline.lake(spark)("quarantine").where("closed_batch is null").select("source_key")
    assert {row[0] for row in open_keys.collect()} == ({2} if mended else {1, 2})
    for key in (1, 2):
        _deliver(pipeline, key, "2024-05-06")
    pipeline.run(spark)
    pipeline.assert_equal()


def test_g8_rows_are_quarantined_after_two_sundays_of_the_default(pipeline, spark, monkeypatch):
    pipeline.run(spark)
    for text in ("soon", "2024-05-05"):
        _deliver(pipeline, 1, text)
        pipeline.run(spark)
    for days in (6, 13):
        _later(monkeypatch, days)
        pipeline.transform(spark, mode="maintain")
    _deliver(pipeline, 2, "later")
    pipeline.run(spark)
    assert pipeline.lake(spark)("quarantine").count() == 2


def test_g8_a_lake_whose_publication_names_an_expired_snapshot_recovers(pipeline, spark):
    """What an earlier release has expired is not needed."""
    pipeline.run(spark)
    _deliver(pipeline, 1, "soon")
    pipeline.run(spark)
    _deliver(pipeline, 1, "sooner")
    pipeline.run(spark)
    lake = Lake(spark, pipeline.database, pipeline.processed)
    for table in (QUARANTINE, QUARANTINE_ROW):
        arguments = f"table => '{pipeline.database}.{table.name}'"
        spark.sql(f"call glue_catalog.system.rewrite_manifests({arguments}, use_caching => false)")
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        spark.sql(
            f"call glue_catalog.system.expire_snapshots({arguments}, older_than => timestamp '{now}', retain_last => 1)"
        )
        assert lake.head(table).commit is None
    _deliver(pipeline, 2, "later")
    pipeline.run(spark)
    assert pipeline.lake(spark)("quarantine").count() == 2


def test_g3_batches_wait_for_the_warehouse_through_maintenance(pipeline, spark, monkeypatch):
    """Also where Iceberg, left alone, would expire everything that is older than a millisecond."""
    pipeline.run(spark)
    name = Lake(spark, pipeline.database, pipeline.processed).name(FACT_PAYMENT)
    spark.sql(f"alter table {name} set tblproperties ('history.expire.max-snapshot-age-ms' = '1')")
    for amount in (1, 2, 3):
        with pipeline.source() as connection:
            connection.execute("update payment set payment_amount = %s where payment_id < 30", (amount,))
            connection.execute("update design set file_name = %s where design_id = 1", (f"{amount}.json",))
            business_day(connection)
        pipeline.extract()
        pipeline.transform(spark)
        _later(monkeypatch, 30 * amount)
        pipeline.transform(spark, mode="maintain", keep_days=0)
    assert pipeline.load()["loaded"] == [2, 3, 4]
    pipeline.assert_equal()
    assert load_key(4) in pipeline.keys(pipeline.processed, "loads/")
    pipeline.transform(spark, mode="maintain", keep_days=0)
    assert spark.table(f"{name}.snapshots").count() == 1
    with pipeline.source() as connection:
        business_day(connection)
    pipeline.run(spark)
    pipeline.assert_equal()


def test_g3_maintenance_of_tables_in_which_nothing_happened_commits_nothing(pipeline, spark):
    pipeline.run(spark)
    pipeline.transform(spark, mode="maintain", keep_days=0)
    name = Lake(spark, pipeline.database, pipeline.processed).name(FACT_PAYMENT)
    before = spark.table(f"{name}.snapshots").collect()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glue_jobs.lake.tables.Lake._commit", lambda *_: pytest.fail("nothing is to be committed"))
        pipeline.transform(spark, mode="maintain", keep_days=0)
    spark.sql(f"refresh table {name}")
    assert spark.table(f"{name}.snapshots").collect() == before
