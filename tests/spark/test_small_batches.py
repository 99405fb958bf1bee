"""A small batch costs what its rows cost: few jobs of Spark, and nothing compiled for a handful of rows."""

import re

import pytest

from contracts.protocol.object_layout import publication_key
from glue_jobs.versions import known
from tests.spark.test_odd_values import ORDER

CODEGEN = "spark.sql.codegen.wholeStage"
INFERENCE = "spark.sql.constraintPropagation.enabled"


def jobs(spark):
    """Return how many jobs Spark has run so far."""
    return spark.sparkContext._jsc.sc().dagScheduler().numTotalJobs()


def test_what_is_read_here_is_looked_at_without_a_job_of_spark(pipeline, spark):
    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute("insert into payment_type values (77, 'SALES_RECEIPT', now(), now())")
    pipeline.extract()
    before = jobs(spark)
    pipeline.transform(spark)
    assert jobs(spark) - before == 2  # what the lake has of these keys is read, and the new row is written


def test_g4_a_change_of_a_dimension_and_its_history_are_written_by_a_job_each(pipeline, spark):
    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute("update design set design_name = 'new', last_updated = now() where design_id = 2")
        connection.execute("update design set last_updated = now() where design_id = 3")
    pipeline.extract()
    before = jobs(spark)
    pipeline.transform(spark)
    assert jobs(spark) - before == 3  # what the lake has of the key is read first
    history = pipeline.lake(spark)("dim_design_history")
    assert history.where("design_id = 3").count() == 1, "nothing that is shown has changed"
    versions = history.where("design_id = 2").orderBy("valid_from").collect()
    first, second = [(row["design_name"], row["valid_from"], row["valid_to"], row["is_current"]) for row in versions]
    assert first[2:] == (second[1], False)
    assert (second[0], *second[2:]) == ("new", None, True)


def test_g7_batches_that_wait_together_are_looked_up_together(pipeline, spark, monkeypatch):
    """From the second one on, and again when small files were compacted: then there are few files to open."""
    pipeline.run(spark)
    done = []
    plain = known.newest_versions

    def newest_versions(batch, table, *, before, keys):
        done.append((batch.number, table.name))
        return plain(batch, table, before=before, keys=keys)

    for name in ("pending.BACKLOG", "staging.coming.BACKLOG"):
        monkeypatch.setattr(f"glue_jobs.{name}", 4)
    monkeypatch.setattr("glue_jobs.pending.BATCHES", 3)
    monkeypatch.setattr("glue_jobs.pending.compact_small_files", lambda *_: done.append("small files are compacted"))
    monkeypatch.setattr(known, "newest_versions", newest_versions)
    for units in range(1, 7):
        with pipeline.source() as connection:
            for table, key, column in (
                ("sales_order", "sales_order_id", "units_sold = %s"),
                ("staff", "staff_id", "last_name = %s"),
            ):
                connection.execute(
                    f"update {table} set {column} where {key} %% 7 in (0, %s)", (str(units + units % 2), units)
                )
            connection.execute(ORDER, (1000 + units, "2024-11-20 10:00", 1, "2024-11-21"))
        pipeline.extract()
    pipeline.transform(spark)
    pipeline.load()
    pipeline.assert_equal()
    assert sorted(done[:2]) == [(2, "dim_staff"), (2, "fact_sales_order")]
    compacted = "small files are compacted"
    assert done[2:] == [(3, "fact_sales_order"), compacted, (5, "fact_sales_order"), compacted]
    versions = "select count(*) from fact_sales_order where sales_order_id = 7"
    assert pipeline.warehouse(versions) == [(4,)], "what it was at first, and 2, 4 and 6, which came twice"


def test_a_look_up_asks_iceberg_for_keys_only_and_reads_what_it_must(pipeline, spark, monkeypatch):
    """For a condition on another column it would read that column's dictionary first: one more request for each file."""
    pipeline.run(spark)
    asked, read = [], []
    plain = known.newest_versions

    def newest_versions(*arguments, **named):
        versions = plain(*arguments, **named)
        execution = versions._jdf.queryExecution()
        asked.extend(re.findall(r"\[filters=(.*?), groupedBy", execution.executedPlan().toString()))
        read.append(re.sub(r"#\d+L?", "", execution.optimizedPlan().collectLeaves().head().output().mkString(" ")))
        return versions

    monkeypatch.setattr(known, "newest_versions", newest_versions)
    with pipeline.source() as connection:
        connection.execute("update sales_order set units_sold = 99 where sales_order_id in (7, 9)")
    pipeline.run(spark)
    assert asked == ["sales_order_id IN (7, 9)"]
    assert [sorted(columns.split()) for columns in read] == [["batch_id", "row_hash", "sales_order_id"]]
    pipeline.assert_equal()


@pytest.mark.parametrize(
    ("limit", "rows", "compiles"),
    [("FEW_ROWS", 2_000, "false"), ("FEW_ROWS", 0, "true"), ("SMALL_ROWS", 0, "true")],
    ids=["few", "many", "so many that they are joined"],
)
def test_plans_for_many_rows_only_are_compiled(pipeline, spark, monkeypatch, limit, rows, compiles):
    monkeypatch.setattr(f"glue_jobs.versions.by_lookup.{limit}", rows)
    spark.conf.set(CODEGEN, "true" if compiles == "false" else "false")
    pipeline.run(spark)
    assert spark.conf.get(CODEGEN) == compiles


def test_nothing_is_inferred_while_a_batch_is_planned(pipeline, spark, monkeypatch):
    """Of the plans that join, it was half of the work."""
    monkeypatch.setattr("glue_jobs.versions.by_lookup.SMALL_ROWS", 0)
    spark.conf.set(INFERENCE, "true")
    pipeline.run(spark)
    assert spark.conf.get(INFERENCE) == "false"
    pipeline.assert_equal()


def test_g8_a_date_that_only_spark_knows_is_quarantined(pipeline, spark):
    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute(ORDER, (500, "2024-11-20 10:00", 1, "99999-01-01"))
        connection.execute(ORDER, (501, "2024-11-20 10:00", 1, "2024-11-21"))
        connection.execute("update design set created_at = '99999-01-01', last_updated = now() where design_id = 2")
        connection.execute("update design set design_name = 'new', last_updated = now() where design_id = 3")
    pipeline.run(spark)
    after = pipeline.document(pipeline.processed, publication_key(2))["tables"]
    assert (after["fact_sales_order"]["inserted"], after["fact_sales_order"]["quarantined"]) == (1, 1)
    assert (after["dim_design"]["updated"], after["dim_design"]["quarantined"]) == (1, 1)
