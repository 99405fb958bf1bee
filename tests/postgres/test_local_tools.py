"""The laptop's tools over what the deployed functions leave: the ledger where the load puts it, batches that others replaced."""

from dataclasses import replace

import pytest

from contracts.protocol.object_layout import manifest_key, publication_key
from contracts.protocol.publication import Superseded
from local.batches import describe, loaded_batch
from local.demo.oracle import warehouse_rows
from local.servers.emulator_process import REGION
from tests.support.lake import FakeLake
from tests.support.samples import extract, manifest, publication

CURRENCIES = [(1, "GBP", "Pound Sterling"), (2, "USD", "US Dollar")]


@pytest.mark.parametrize("ledger", ["etl", 'books "1"'])
def test_batches_and_deletions_are_read_from_the_warehouses_own_ledger(pipeline, monkeypatch, ledger):
    monkeypatch.setenv("WAREHOUSE_SCHEMA", "star")
    monkeypatch.setenv("LEDGER_SCHEMA", ledger)
    platform = {"warehouse_url": pipeline.warehouse_url, "ledger_schema": ledger}
    assert loaded_batch(platform) == 0
    lake = FakeLake(pipeline)
    lake.publish({"dim_currency": CURRENCIES})
    lake.publish(deleted={"currency": [1]})
    pipeline.load()
    assert loaded_batch(platform) == 2
    assert warehouse_rows(pipeline.warehouse_url, "star", ledger)["dim_currency"] == {("2", "USD", "US Dollar")}


def test_a_batch_that_took_the_place_of_damaged_ones_is_described_by_its_own_manifest(pipeline):
    sales = extract("sales_order", rows=7)
    taken = replace(publication(3), first=2, superseded=(Superseded(2, "damaged"),))
    for bucket, key, body in (
        (pipeline.ingestion, manifest_key(1), manifest(1).to_json()),
        (pipeline.ingestion, manifest_key(2), b"{"),
        (pipeline.ingestion, manifest_key(3), manifest(3, sales_order=sales).to_json()),
        (pipeline.processed, publication_key(3), taken.to_json()),
    ):
        pipeline.s3.put_object(Bucket=bucket, Key=key, Body=body)
    naming = {"ingestion_bucket": pipeline.ingestion, "processed_bucket": pipeline.processed}
    platform = {"endpoint": pipeline.servers.endpoint, "region": REGION, **naming}
    described = describe(platform, 3, {})
    assert described["batch"] == 3 and described["tables"]["fact_sales_order"]["rows_read"] == 7
