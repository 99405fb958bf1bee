"""A column that the contract has gained: content without a value there is the content of before, and older parts lack it."""

from dataclasses import replace
from types import SimpleNamespace

from pyspark.sql import functions as F

from contracts.protocol.bucket import Bucket
from contracts.protocol.progress import read_batch
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.star import DIM_PAYMENT_TYPE
from contracts.tables.table import text
from glue_jobs.staging.parts import read_raw
from glue_jobs.staging.rows import own_problem
from glue_jobs.star.content import with_hash
from glue_jobs.star.conversion import problem


def hashes(frame, table):
    return [row.row_hash for row in with_hash(frame, table).orderBy("payment_type_id").collect()]


def test_g7_rows_without_a_value_in_a_gained_column_keep_their_version(spark):
    table = replace(
        DIM_PAYMENT_TYPE,
        columns=(*DIM_PAYMENT_TYPE.columns, text("colour", "A.", nullable=True), text("shade", "B.", nullable=True)),
    )
    before = spark.createDataFrame(
        [(n, f"kind {n}") for n in range(6)], "payment_type_id int, payment_type_name string"
    )
    values = [(None, None), ("red", None), ("", None), (None, "red"), ("red", "red"), ("blue", None)]
    rows = [(n, "kind 0", *pair) for n, pair in enumerate(values)]
    after = spark.createDataFrame(rows, "payment_type_id int, payment_type_name string, colour string, shade string")
    assert hashes(after.where("payment_type_id = 0"), table) == hashes(before, DIM_PAYMENT_TYPE)[:1]
    same_key = after.withColumn("payment_type_id", F.lit(0))
    assert len(set(hashes(same_key, table))) == len(values)  # NULL, empty, and which column has the value: all differ


def test_g8_a_column_that_older_parts_do_not_have_quarantines_no_row(pipeline, spark, monkeypatch):
    pipeline.extract()
    manifest = read_batch(Bucket(pipeline.s3, pipeline.ingestion), 1)
    source = SOURCE_TABLES["payment_type"]
    grown = replace(source, columns=(*source.columns, text("colour", "Never NULL in the source.")))
    monkeypatch.setitem(SOURCE_TABLES, "payment_type", grown)
    rows = read_raw(spark, Bucket(pipeline.s3, pipeline.ingestion), manifest, "payment_type")
    assert {row.colour for row in rows.collect()} == {None}
    batch = SimpleNamespace(manifest=manifest)
    assert rows.where(own_problem(batch, grown) != 0).count() == 0
    assert rows.where(problem(grown) != 0).count() == rows.count() > 0  # what would become of them otherwise
