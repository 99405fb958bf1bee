"""A small batch costs what its rows cost: few jobs of Spark, and nothing compiled for a handful of rows."""

import pytest

from contracts.protocol.object_layout import publication_key
from tests.spark.test_odd_values import ORDER

CODEGEN = "spark.sql.codegen.wholeStage"


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


def test_a_date_that_only_spark_knows_is_quarantined(pipeline, spark):
    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute(ORDER, (500, "2024-11-20 10:00", 1, "99999-01-01"))
        connection.execute(ORDER, (501, "2024-11-20 10:00", 1, "2024-11-21"))
    pipeline.run(spark)
    after = pipeline.document(pipeline.processed, publication_key(2))["tables"]["fact_sales_order"]
    assert (after["inserted"], after["quarantined"]) == (1, 1)
