"""Batches through the real handlers and the real job, in one process."""

import json
from dataclasses import replace

import psycopg
import pytest

from contracts.protocol.object_layout import manifest_key, publication_key
from glue_jobs.errors import LakeReconciliationError
from local.simulator.day import business_day


def test_g5_first_batch_makes_warehouse_equal_to_source(pipeline, spark):
    assert pipeline.run(spark) == 1
    pipeline.assert_equal()
    assert pipeline.document(pipeline.ingestion, manifest_key(1))["reason"] == "first batch"


def test_g1_business_days_with_silent_updates_arrive(pipeline, spark):
    pipeline.run(spark)
    for expected in (2, 3):
        with pipeline.source() as connection:
            business_day(connection)
        assert pipeline.run(spark) == expected
        pipeline.assert_equal()


def test_g7_every_change_gives_one_record_and_going_back_gives_another(pipeline, spark):
    pipeline.run(spark)
    with pipeline.source() as connection:
        (staff,) = connection.execute("select staff_id from sales_order where sales_order_id = 3").fetchone()
    for value in (staff % 20 + 1, staff):  # A → B → A
        with pipeline.source() as connection:
            connection.execute("update sales_order set staff_id = %s where sales_order_id = 3", (value,))
        pipeline.run(spark)
    history = pipeline.warehouse(
        "select sales_staff_id, valid_from, valid_to, is_current from history_sales_order where sales_order_id = 3 order by 2"
    )
    assert [row[0] for row in history] == [staff, staff % 20 + 1, staff]
    assert [row[3] for row in history] == [False, False, True]
    assert history[0][2] == history[1][1] and history[1][2] == history[2][1] and history[2][2] is None
    pipeline.assert_equal()


def test_g7_a_change_of_a_dropped_column_gives_no_record(pipeline, spark):
    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute("update payment set company_ac_number = 11111111 where payment_id = 1")
    assert pipeline.run(spark) == 2
    assert pipeline.warehouse("select count(*) from fact_payment where payment_id = 1") == [(1,)]
    assert pipeline.document(pipeline.processed, publication_key(2))["tables"]["fact_payment"]["files"] == []


def test_g4_a_renamed_department_changes_the_staff_that_did_not_change(pipeline, spark):
    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute("update department set department_name = 'Sales, North' where department_id = 1")
        connection.execute("update address set city = 'Ünter''port' where address_id = 1")
    pipeline.run(spark)
    pipeline.assert_equal()
    tables = pipeline.document(pipeline.processed, publication_key(2))["tables"]
    assert tables["dim_staff"]["inserted"] == 0 and tables["dim_staff"]["updated"] > 0
    assert tables["fact_sales_order"]["updated"] == 0


def test_g8_awkward_values_survive_unchanged(pipeline, spark):
    awkward = [
        "",
        "\\N",
        '"',
        '""',
        "a\nb",
        "c\r\nd",
        "\r",
        ",",
        " lead",
        "trail ",
        "\t",
        "'; drop table x --",
        "üñí😀",
        "NULL",
        "\\",
        "\\.",
    ]
    pipeline.run(spark)
    with pipeline.source() as connection:
        for key, text in enumerate(awkward, start=1):
            connection.execute(
                "update address set address_line_1 = %s, address_line_2 = %s, district = null where address_id = %s",
                (text, text, key),
            )
        connection.execute("update design set file_name = %s where design_id = 1", ("x" * 1_000_000,))
    pipeline.run(spark)
    pipeline.assert_equal()


def test_g1_late_commit_arrives_though_its_stamp_is_old(pipeline, spark):
    with psycopg.connect(pipeline.source_url) as late:
        late.execute(
            "update purchase_order set item_quantity = 7, last_updated = created_at where purchase_order_id = 2"
        )
        assert pipeline.run(spark) == 1
        with pipeline.source() as connection:
            connection.execute("update purchase_order set item_quantity = 8 where purchase_order_id = 3")
        assert pipeline.run(spark) == 2
        late.commit()
    assert pipeline.run(spark) == 3
    pipeline.assert_equal()


def test_g5_rows_lost_before_the_lake_fail_the_run(pipeline, spark, monkeypatch):
    pipeline.extract()
    manifest = pipeline.document(pipeline.ingestion, manifest_key(1))
    manifest["tables"]["sales_order"]["source_count"] += 1
    pipeline.s3.delete_object(Bucket=pipeline.ingestion, Key=manifest_key(1))
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=manifest_key(1), Body=json.dumps(manifest))
    with pytest.raises(LakeReconciliationError, match="fact_sales_order"):
        pipeline.transform(spark)
    assert pipeline.keys(pipeline.processed, "publications/") == []


def test_source_replaced_by_another_database_is_read_whole(pipeline, spark):
    pipeline.run(spark)
    other = pipeline.servers.create_database(pipeline.servers.source, pipeline.servers.seeded_template())
    from local.servers.urls import secret_from_url

    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets["source"], SecretString=secret_from_url(other, "source")
    )
    assert "another database" in pipeline.extract()["reason"]
    pipeline.transform(spark)
    assert pipeline.load()["loaded"] == [2]
    pipeline.assert_equal()
    assert pipeline.warehouse("select count(*) - count(distinct sales_order_id) from fact_sales_order") == [(0,)]


def test_calendar_grows_with_the_facts(pipeline, spark):
    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute("update sales_order set agreed_delivery_date = '2031-02-28' where sales_order_id = 1")
    pipeline.run(spark)
    days = pipeline.warehouse("select count(*), min(day_name), max(quarter) from dim_date where year = 2031")
    assert days == [(365, "Friday", 4)]
    (row,) = pipeline.warehouse("select * from dim_date where date_id = '2031-03-02'")
    assert row[1:] == (2031, 3, 2, 7, "Sunday", "March", 1)


def test_an_empty_source_is_a_batch_of_nothing_and_what_comes_then_arrives(servers, spark, monkeypatch):
    from local.simulator.business import create_schema, seed
    from tests.support.pipeline import Pipeline

    pipeline = Pipeline(servers, monkeypatch, empty=True)
    with pipeline.source() as connection:
        create_schema(connection)
    assert pipeline.run(spark) == 1
    assert pipeline.warehouse("select count(*) from current_sales_order") == [(0,)]
    with pipeline.source() as connection:
        seed(connection, days=3)
    assert pipeline.run(spark) == 2
    pipeline.assert_equal()


def test_record_ids_are_gapless_and_follow_the_keys_over_many_partitions(pipeline, spark, monkeypatch):
    monkeypatch.setattr("glue_jobs.versions.by_lookup.SMALL_ROWS", 0)
    monkeypatch.setattr("glue_jobs.versions.by_join.ROWS_PER_PARTITION", 7)
    pipeline.run(spark)
    with pipeline.source() as connection:
        business_day(connection)
    pipeline.run(spark)
    pipeline.assert_equal()
    for fact, record, key in (
        ("fact_sales_order", "sales_record_id", "sales_order_id"),
        ("fact_payment", "payment_record_id", "payment_id"),
    ):
        rows = pipeline.warehouse(f"select {record}, {key} from {fact} order by 1")
        assert [r[0] for r in rows] == list(range(1, len(rows) + 1))
        first = pipeline.document(pipeline.processed, publication_key(1))["tables"][fact]["last_record_id"]
        for part in (rows[:first], rows[first:]):
            assert [r[1] for r in part] == sorted(r[1] for r in part)


@pytest.mark.parametrize("small_rows", [20_000, 0], ids=["small", "bulk"])
def test_a_changed_transaction_rewrites_its_range_and_keeps_the_others(pipeline, spark, monkeypatch, small_rows):
    from contracts.tables.lake import LAKE_TABLES
    from contracts.tables.star import DIM_TRANSACTION
    from glue_jobs import batch_run

    ranges = replace(DIM_TRANSACTION, partitioning=("truncate(16, transaction_id)",))
    tables = [ranges if table.name == ranges.name else table for table in batch_run._IN_ORDER]
    monkeypatch.setattr(batch_run, "_IN_ORDER", tables)
    monkeypatch.setitem(LAKE_TABLES, ranges.name, ranges)
    monkeypatch.setattr("glue_jobs.versions.by_lookup.SMALL_ROWS", small_rows)
    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute("update transaction set transaction_type = 'PURCHASE' where transaction_id in (20, 21)")
    pipeline.run(spark)
    pipeline.assert_equal()
    table = pipeline.document(pipeline.processed, publication_key(2))["tables"]["dim_transaction"]
    assert (table["inserted"], table["updated"]) == (0, 2)
    assert sum(f["rows"] for f in table["files"]) == 16


def test_columns_that_the_contract_gains_are_added_to_the_lake(pipeline, spark, monkeypatch):
    from contracts.tables.star import DIM_DESIGN
    from contracts.tables.table import Column
    from contracts.tables.types import TEXT
    from glue_jobs.lake.tables import Lake

    pipeline.run(spark)
    lake = Lake(spark, pipeline.database, pipeline.processed)
    grown = replace(DIM_DESIGN, columns=(*DIM_DESIGN.columns, Column("colour", TEXT, "It's new.", nullable=True)))
    lake.ensure(grown)
    lake.ensure(grown)
    assert "colour" in lake.read(grown).columns and lake.read(grown).where("colour is null").count() > 0


def test_g10_columns_beyond_the_contract_and_gzip_parts_change_nothing_downstream(pipeline, spark, monkeypatch):
    monkeypatch.setenv("COMPRESS_PARTS", "true")
    monkeypatch.setenv("PART_BYTES", "2000")
    monkeypatch.setattr("lambdas.extract.copying.CHUNK_BYTES", 200)
    with pipeline.source() as connection:
        connection.execute("alter table sales_order add column note text default 'a\nb'")
    pipeline.run(spark)
    pipeline.assert_equal()
    entry = pipeline.document(pipeline.ingestion, manifest_key(1))["tables"]["sales_order"]
    assert entry["columns"][-1] == "note" and len(entry["parts"]) > 1
    assert all(part["key"].endswith(".csv.gz") for part in entry["parts"])
