"""A batch of several manifests in the lake and the warehouse: published once, as one."""

import hashlib
import json

import pytest

from contracts.protocol.object_layout import manifest_key, publication_key
from glue_jobs.errors import IngestionDamagedError
from glue_jobs.staging import frames
from lambdas.extract.run import extract
from lambdas.extract.settings import ExtractSettings


def _in_runs(pipeline, between):
    """Extract a little at a time, changing the source in between, and then the rest."""
    outcome = extract(ExtractSettings(), seconds=0)
    while not outcome.is_whole:
        with pipeline.source() as connection:
            between(connection, outcome.batch)
        outcome = extract(ExtractSettings(), seconds=0 if outcome.batch < 12 else 600)
    return outcome.batch


def _change(connection, number):
    """Change what was read and what was not, and delete a payment with its transaction."""
    connection.execute("update sales_order set units_sold = units_sold + 1 where sales_order_id in (1, %s)", (number,))
    connection.execute("update staff set department_id = department_id %% 8 + 1 where staff_id = %s", (number,))
    if number == 4:
        connection.execute("delete from payment where transaction_id = 5")
        connection.execute("delete from transaction where transaction_id = 5")


def test_g4_nothing_is_published_before_the_last_run_and_then_everything_is(pipeline, spark):
    extract(ExtractSettings(), seconds=0)
    pipeline.transform(spark)
    assert pipeline.keys(pipeline.processed) == []
    assert pipeline.load({"step": "check_pending"})["untransformed"] == 0
    number = _in_runs(pipeline, _change)
    assert number > 10
    pipeline.transform(spark)
    assert pipeline.keys(pipeline.processed, "publications/") == [publication_key(number)]
    assert pipeline.load()["loaded"] == [number]
    pipeline.assert_equal()
    assert pipeline.warehouse("select count(*) from dim_transaction where transaction_id = 5") == [(0,)]
    with pipeline.source() as connection:
        connection.execute("update sales_order set units_sold = 5 where sales_order_id = 7")
    assert pipeline.run(spark) == number + 1
    pipeline.assert_equal()


@pytest.mark.parametrize("rows_here", [frames.HERE_ROWS, -1], ids=["driver", "executors"])
def test_g7_an_incremental_batch_of_several_runs_gives_one_record_for_each_order(
    pipeline, spark, monkeypatch, rows_here
):
    pipeline.run(spark)
    monkeypatch.setattr(frames, "HERE_ROWS", rows_here)
    with pipeline.source() as connection:
        connection.execute("update sales_order set units_sold = units_sold + 1")
        connection.execute("update design set file_name = file_name || 'x'")
    _in_runs(pipeline, lambda connection, number: connection.execute("update sales_order set staff_id = %s", (number,)))
    pipeline.transform(spark)
    pipeline.load()
    pipeline.assert_equal()
    assert pipeline.warehouse(
        "select min(n), max(n) from (select count(*) n from fact_sales_order group by sales_order_id)"
    ) == [(2, 2)]


@pytest.mark.parametrize("read", ["whole", "changed"])
def test_g5_a_row_that_a_run_lost_fails_the_batch(pipeline, spark, read):
    """A part was written with a row less than the manifest says; its digest is that of what was written."""
    before = 0
    if read == "changed":
        pipeline.run(spark)
        before = 1
        with pipeline.source() as connection:
            connection.execute("update payment set payment_amount = payment_amount + 1")
            connection.execute("update sales_order set units_sold = units_sold + 1")
    number = _in_runs(pipeline, lambda *_: None)
    for document in range(before + 1, number + 1):
        manifest = pipeline.document(pipeline.ingestion, manifest_key(document))
        entry = manifest["tables"]["payment"]
        if entry["parts"]:
            break
    assert entry["read"] == read
    part = entry["parts"][0]
    body = pipeline.s3.get_object(Bucket=pipeline.ingestion, Key=part["key"])["Body"].read()
    shorter = body.replace(b"\n" + body.split(b"\n")[2] + b"\n", b"\n", 1)
    part |= {"bytes": len(shorter), "sha256": hashlib.sha256(shorter).hexdigest()}
    for key, content in ((part["key"], shorter), (manifest_key(document), json.dumps(manifest).encode())):
        pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=key, Body=content)
    with pytest.raises(IngestionDamagedError, match=rf"payment: .*holds {part['rows'] - 1} rows.*{part['rows']}"):
        pipeline.transform(spark)
    assert len(pipeline.keys(pipeline.processed, "publications/")) == before
