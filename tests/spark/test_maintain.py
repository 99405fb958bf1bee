"""Maintenance beside running batches, and replays beside the live lake."""

from collections import Counter

import pytest
from pyspark.sql import functions as F

from contracts.errors import CustodyError
from contracts.protocol.object_layout import manifest_key, publication_key
from contracts.tables.lake import LAKE_TABLES
from contracts.tables.star import FACT_PAYMENT, STAR_TABLES
from glue_jobs.errors import ConflictError, ReplayError
from glue_jobs.lake.maintenance import MaintainedLake as Lake
from glue_jobs.maintenance.maintain import compact_small_files
from tests.support.publications import dump, use_warehouse


def _content(lake, name):
    """A table's rows without what differs between two runs of the same batches: nothing."""
    return Counter(map(tuple, lake(name).collect()))


def _files(pipeline, spark, table):
    lake = Lake(spark, pipeline.database, pipeline.processed)
    return (
        spark.table(f"{lake.name(table)}.files").groupBy("partition").count().collect()
        if table.partitioning
        else [{"count": spark.table(f"{lake.name(table)}.files").count()}]
    )


def _change(pipeline, number):
    with pipeline.source() as connection:
        connection.execute("update payment set payment_amount = %s where payment_id in (1, 2)", (number,))
        connection.execute("update design set file_name = %s where design_id = 1", (f"{number}.json",))
        connection.execute(
            "insert into transaction (transaction_type, created_at, last_updated) values ('SALE', now(), now())"
        )


def _batches(pipeline, spark, further):
    """A first batch, and further ones with changes."""
    pipeline.run(spark)
    for number in range(further):
        _change(pipeline, number)
        pipeline.run(spark)


def test_g3_maintenance_leaves_one_file_a_partition_and_every_row_as_it_was(pipeline, spark):
    _batches(pipeline, spark, 4)
    lake = pipeline.lake(spark)
    before = {name: _content(lake, name) for name in LAKE_TABLES}
    assert max(row["count"] for row in _files(pipeline, spark, FACT_PAYMENT)) > 1
    pipeline.transform(spark, mode="maintain", keep_days=0)
    assert {name: _content(lake, name) for name in LAKE_TABLES} == before
    for table in STAR_TABLES.values():
        assert max(row["count"] for row in _files(pipeline, spark, table)) <= 1, table.name
    snapshots = spark.table(f"{Lake(spark, pipeline.database, pipeline.processed).name(FACT_PAYMENT)}.snapshots")
    assert snapshots.count() == 1
    _change(pipeline, 99)  # the next batch needs nothing of what is gone
    pipeline.run(spark)
    pipeline.transform(spark, mode="maintain", keep_days=0)
    _change(pipeline, 100)
    pipeline.run(spark)
    pipeline.assert_equal()


def test_g3_what_a_batch_changes_meanwhile_is_compacted_again_and_not_lost(pipeline, spark, monkeypatch):
    _batches(pipeline, spark, 2)
    plain, raced = Lake._commit, []

    def late(self, writer, write):
        if not raced:
            raced.append(True)
            _change(pipeline, 50)
            pipeline.run(spark)
        plain(self, writer, write)

    with monkeypatch.context() as patch:
        lake = Lake(spark, pipeline.database, pipeline.processed)
        patch.setattr(Lake, "_commit", late)
        with pytest.raises(ConflictError):
            lake.compact(FACT_PAYMENT)
    assert lake.compact(FACT_PAYMENT) > 0
    _change(pipeline, 51)
    pipeline.run(spark)
    pipeline.assert_equal()


def _paths(pipeline, spark):
    """The data files of the payments, and their sizes."""
    name = Lake(spark, pipeline.database, pipeline.processed).name(FACT_PAYMENT)
    return {row[0]: row[1] for row in spark.sql(f"select file_path, file_size_in_bytes from {name}.files").collect()}


def test_g9_small_files_are_compacted_as_batches_go_by_and_large_ones_stay(pipeline, spark, monkeypatch):
    pipeline.run(spark)
    ((large, size),) = _paths(pipeline, spark).items()
    monkeypatch.setattr("glue_jobs.pending.BATCHES", 3)
    monkeypatch.setattr("glue_jobs.maintenance.maintain.SMALL_FILES", 3)
    monkeypatch.setattr("glue_jobs.maintenance.maintain.SMALL_BYTES", size)
    counts = []
    for number in range(2, 7):
        _change(pipeline, number)
        pipeline.run(spark)
        counts.append(len(_paths(pipeline, spark)))
    assert counts == [2, 3, 4, 5, 2]  # two small files are not many; five are compacted
    assert large in _paths(pipeline, spark)
    rows = pipeline.lake(spark)("fact_payment").where("payment_id = 1").orderBy("payment_record_id")
    assert [int(row.payment_amount) for row in rows.collect()[1:]] == [2, 3, 4, 5, 6]
    before = dump(pipeline.warehouse_url)
    pipeline.transform(spark, mode="list")
    use_warehouse(pipeline, pipeline.servers.create_database(pipeline.servers.warehouse))
    assert pipeline.load({"step": "rebuild"})["done"]
    assert dump(pipeline.warehouse_url) == before
    _change(pipeline, 7)
    pipeline.run(spark)
    pipeline.assert_equal()


def test_g3_small_files_that_another_run_replaces_are_left_and_no_row_is_lost(pipeline, spark, monkeypatch):
    _batches(pipeline, spark, 2)
    plain, raced = Lake._java, []

    def late(self, name):
        if name == "spark.actions.SparkActions" and not raced:
            raced.append(True)
            another = spark.newSession()  # which does not share what this one remembers of a table
            _change(pipeline, 50)
            pipeline.run(spark)
            Lake(another, pipeline.database, pipeline.processed).compact(FACT_PAYMENT)
        return plain(self, name)

    monkeypatch.setattr("glue_jobs.maintenance.maintain.SMALL_FILES", 2)
    lines = []
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "_java", late)
        patch.setattr("glue_jobs.maintenance.maintain.LAKE_TABLES", {FACT_PAYMENT.name: FACT_PAYMENT})
        compact_small_files(Lake(spark, pipeline.database, pipeline.processed), lines.append)
    assert lines == ["fact_payment: a batch has changed what was being compacted; left for the next time"]
    assert len(_paths(pipeline, spark)) == 1
    compact_small_files(Lake(spark, pipeline.database, pipeline.processed), lines.append)
    _change(pipeline, 51)
    pipeline.run(spark)
    pipeline.assert_equal()


def test_g11_a_replay_makes_the_same_tables_beside_the_live_ones_and_can_be_stopped(pipeline, spark):
    _batches(pipeline, spark, 2)
    live = pipeline.lake(spark)
    before = {name: _content(live, name) for name in LAKE_TABLES}
    keys = pipeline.keys(pipeline.processed, "publications/")
    into = f"{pipeline.database}_replay"
    pipeline.transform(spark, mode="replay", **{"from": 1, "to": 1, "into": into})
    pipeline.transform(spark, mode="replay", **{"from": 1, "to": 3, "into": into})
    pipeline.transform(spark, mode="replay", **{"from": 1, "to": 3, "into": into})
    replayed = pipeline.lake(spark, into)
    assert {name: _content(replayed, name) for name in LAKE_TABLES} == before
    assert {name: _content(live, name) for name in LAKE_TABLES} == before
    assert pipeline.keys(pipeline.processed, "publications/") == keys
    assert pipeline.keys(pipeline.processed, f"replay/{into}/publications/") == [
        f"replay/{into}/{publication_key(n)}" for n in (1, 2, 3)
    ]
    with pytest.raises(ReplayError, match="began with another batch"):
        pipeline.transform(spark, mode="replay", **{"from": 2, "to": 3, "into": into})
    pipeline.transform(spark, mode="replay", **{"from": 2, "to": 3, "into": f"{into}_part"})
    part = pipeline.lake(spark, f"{into}_part")
    assert part("fact_payment").where(F.col("batch_id") == 3).count() == 2
    manifest = pipeline.s3.get_object(Bucket=pipeline.ingestion, Key=manifest_key(3))["Body"].read()
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=manifest_key(3), Body=manifest + b" ")
    with pytest.raises(CustodyError, match="is not the manifest"):
        pipeline.transform(spark, mode="replay", **{"from": 1, "to": 3, "into": into})


def test_g11_a_replay_never_goes_into_the_live_database(pipeline, spark):
    for into in (pipeline.database, "other", f"{pipeline.database}_raw", ""):
        with pytest.raises(ReplayError, match="_replay"):
            pipeline.transform(spark, mode="replay", **{"from": 1, "to": 1, "into": into})
    with pytest.raises(ReplayError, match="from 3 to 2"):
        pipeline.transform(spark, mode="replay", **{"from": 3, "to": 2, "into": f"{pipeline.database}_replay"})
    with pytest.raises(ReplayError, match="no whole batch"):
        pipeline.transform(spark, mode="replay", **{"from": 8, "to": 9, "into": f"{pipeline.database}_replay"})


def test_g11_a_warehouse_is_rebuilt_from_the_files_that_the_job_lists(pipeline, spark, monkeypatch):
    """Compacted files, deletions and returned rows among them; what is committed and not published is left out."""
    _batches(pipeline, spark, 2)
    with pipeline.source() as connection:
        row = connection.execute("delete from payment where payment_id = 3 returning *").fetchone()
    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute(f"insert into payment values ({', '.join(['%s'] * len(row))})", row)
    pipeline.run(spark)
    pipeline.transform(spark, mode="maintain", keep_days=0)
    before = dump(pipeline.warehouse_url)
    _change(pipeline, 7)
    pipeline.extract()
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(
            "contracts.protocol.bucket.Bucket.put_once", lambda *_: (_ for _ in ()).throw(RuntimeError("killed"))
        )
        pipeline.transform(spark)
    pipeline.transform(spark, mode="list")
    use_warehouse(pipeline, pipeline.servers.create_database(pipeline.servers.warehouse))
    assert pipeline.load({"step": "rebuild"})["done"]
    assert dump(pipeline.warehouse_url) == before
    pipeline.transform(spark)
    pipeline.load()
    pipeline.assert_equal()
