"""G2 and G3 at the job: repeated, overlapping and dying runs."""

from dataclasses import replace

import pytest

from contracts.protocol.object_layout import manifest_key, publication_key
from glue_jobs.errors import IngestionDamagedError
from local.simulator.day import business_day


def test_g2_pending_batches_are_published_in_order_by_one_run(pipeline, spark):
    for quantity in (11, 12, 13):
        with pipeline.source() as connection:
            connection.execute("update purchase_order set item_quantity = %s where purchase_order_id = 5", (quantity,))
        pipeline.extract()
    pipeline.transform(spark)
    assert pipeline.load()["loaded"] == [1, 2, 3]
    quantities = (
        "select item_quantity from fact_purchase_orders where purchase_order_id = 5 order by purchase_record_id"
    )
    assert pipeline.warehouse(quantities) == [(11,), (12,), (13,)]


def test_g2_running_everything_again_changes_nothing(pipeline, spark):
    pipeline.run(spark)
    before = pipeline.keys(pipeline.ingestion), pipeline.keys(pipeline.processed)
    assert pipeline.extract()["batch"] is None
    pipeline.transform(spark)
    assert pipeline.load()["loaded"] == []
    assert (pipeline.keys(pipeline.ingestion), pipeline.keys(pipeline.processed)) == before


@pytest.mark.parametrize("commits", [0, 1, 5, 11])
def test_g3_job_that_dies_after_any_commit_is_finished_by_the_next(pipeline, spark, commits):
    from glue_jobs.lake.tables import Lake

    with pipeline.source() as connection:
        business_day(connection)
    pipeline.extract()
    survived = 0
    plain = Lake.append

    def dying(self, *arguments):
        nonlocal survived
        if survived == commits:
            raise MemoryError("killed")
        survived += 1
        plain(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glue_jobs.batch_run.THREADS", 1)
        patch.setattr(Lake, "append", dying)
        if commits == 11:  # every table is committed, the publication is not
            patch.setattr(
                "contracts.protocol.bucket.Bucket.put_once", lambda *_: (_ for _ in ()).throw(MemoryError("killed"))
            )
        with pytest.raises(MemoryError):
            pipeline.transform(spark)
    assert survived == commits
    assert pipeline.load()["loaded"] == []
    pipeline.transform(spark)
    assert pipeline.load()["loaded"] == [1]
    pipeline.assert_equal()
    ids = pipeline.warehouse("select count(*), min(sales_record_id), max(sales_record_id) from fact_sales_order")
    assert ids[0][0] == ids[0][2] and ids[0][1] == 1


def test_g3_a_first_batch_that_one_run_takes_for_large_and_the_next_for_small_is_finished(pipeline, spark):
    """What is large may be another number in the release that finishes it."""
    pipeline.extract()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glue_jobs.versions.by_lookup.SMALL_ROWS", 0)
        patch.setattr(
            "contracts.protocol.bucket.Bucket.put_once", lambda *_: (_ for _ in ()).throw(MemoryError("killed"))
        )
        with pytest.raises(MemoryError):
            pipeline.transform(spark)
    pipeline.transform(spark)
    assert pipeline.load()["loaded"] == [1]
    pipeline.assert_equal()


def test_g3_overlapping_run_of_the_same_batch_doubles_nothing(pipeline, spark, monkeypatch):
    """A second run that does not see the first one's commits replaces its rows by the same rows."""
    from contracts.tables.star import DIM_DATE, FACTS
    from glue_jobs.lake.tables import Lake

    pipeline.run(spark)
    with pipeline.source() as connection:
        business_day(connection)
        connection.execute("update sales_order set agreed_delivery_date = '2031-02-28' where sales_order_id = 1")
    pipeline.extract()
    pipeline.transform(spark)
    first = pipeline.document(pipeline.processed, publication_key(2))
    pipeline.s3.delete_object(Bucket=pipeline.processed, Key=publication_key(2))
    plain, seen = Lake.head, set()

    def blind_at_first(self, table):
        head = plain(self, table)
        if table in (*FACTS, DIM_DATE) and table.name not in seen:
            seen.add(table.name)
            return replace(head, commit=replace(head.commit, batch=1))
        return head

    monkeypatch.setattr(Lake, "head", blind_at_first)
    pipeline.transform(spark)
    second = pipeline.document(pipeline.processed, publication_key(2))
    for fact in (*FACTS, DIM_DATE):
        figures = ("inserted", "updated", "first_record_id", "last_record_id", "current_keys", "key_checksum")
        assert {k: first["tables"][fact.name][k] for k in figures} == {
            k: second["tables"][fact.name][k] for k in figures
        }
    pipeline.load()
    pipeline.assert_equal()
    assert pipeline.warehouse("select count(*) - count(distinct sales_record_id) from fact_sales_order") == [(0,)]


def test_g3_damaged_part_is_told_and_nothing_published(pipeline, spark):
    pipeline.extract()
    manifest = pipeline.document(pipeline.ingestion, manifest_key(1))
    key = manifest["tables"]["payment"]["parts"][0]["key"]
    body = pipeline.s3.get_object(Bucket=pipeline.ingestion, Key=key)["Body"].read()
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=key, Body=body[:-100])
    with pytest.raises(IngestionDamagedError, match=key):
        pipeline.transform(spark)
    pipeline.s3.delete_object(Bucket=pipeline.ingestion, Key=key)
    with pytest.raises(IngestionDamagedError, match="is missing"):
        pipeline.transform(spark)
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=key, Body=body)
    pipeline.transform(spark)
    pipeline.load()
    pipeline.assert_equal()


def test_g3_of_two_runs_of_a_batch_one_commits_a_table_and_the_other_finds_it_done(pipeline, spark, monkeypatch):
    """The second run looks at a table before the first one commits to it, and commits after it."""
    from contracts.tables.star import DIM_DESIGN, FACT_SALES_ORDER
    from glue_jobs.lake.tables import Lake

    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute("update sales_order set units_sold = 77 where sales_order_id in (1, 2)")
        connection.execute("update design set file_name = 'x.json' where design_id = 1")
    pipeline.extract()
    plain, raced = Lake._writer, []

    def overtaken(self, table, *arguments):
        writer = plain(self, table, *arguments)
        if table in (FACT_SALES_ORDER, DIM_DESIGN) and table.name not in raced:
            raced.append(table.name)
            if len(raced) == 1:
                monkeypatch.setattr("glue_jobs.batch_run.THREADS", 4)
                pipeline.transform(spark)
        return writer

    monkeypatch.setattr("glue_jobs.batch_run.THREADS", 1)
    monkeypatch.setattr(Lake, "_writer", overtaken)
    pipeline.transform(spark)
    assert raced and pipeline.keys(pipeline.processed, "publications/") == [publication_key(1), publication_key(2)]
    tables = pipeline.document(pipeline.processed, publication_key(2))["tables"]
    assert (tables["fact_sales_order"]["updated"], tables["dim_design"]["updated"]) == (2, 1)
    pipeline.load()
    pipeline.assert_equal()
