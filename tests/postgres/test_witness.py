"""G1: a server whose files were put back to an older copy is told from one that was only started anew."""

import subprocess

import psycopg
import pytest

from contracts.protocol.object_layout import manifest_key
from local.servers.postgres import PostgresServer
from local.servers.urls import secret_from_url
from local.simulator.business import create_schema, seed


@pytest.fixture
def cluster(pipeline, tmp_path):
    """A server of its own as the pipeline's source."""
    server = PostgresServer(tmp_path / "cluster", password="pw", database="totesys")
    server.start()
    with psycopg.connect(server.url) as connection:
        create_schema(connection)
        seed(connection, days=6)
    yield server
    server.stop()


def _use(pipeline, server):
    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets["source"], SecretString=secret_from_url(server.url, "source")
    )


def _update(server, times, statement):
    with psycopg.connect(server.url, autocommit=True) as connection:
        for _ in range(times):
            connection.execute(statement)


DESIGN = "update design set last_updated = now() where design_id = 1"
OLD = "update sales_order set units_sold = 777777 where sales_order_id = 1"
PAID = "update payment set paid = not paid where payment_id = 2"


def _put_back(server, copy):
    server.stop()
    subprocess.run(["rm", "-r", str(server.directory)], check=True)
    subprocess.run(["cp", "-a", str(copy), str(server.directory)], check=True)
    server.start()


def test_g1_a_row_that_no_witness_names_betrays_another_history_by_its_transaction(pipeline, cluster, tmp_path):
    """All that was lost are versions of one row, which is changed again; another row is changed in the same transactions."""
    cluster.stop()
    subprocess.run(["cp", "-a", str(cluster.directory), str(tmp_path / "copy")], check=True)
    cluster.start()
    _update(cluster, 50, DESIGN)
    _use(pipeline, cluster)
    assert pipeline.extract()["batch"] == 1
    _put_back(cluster, tmp_path / "copy")
    _update(cluster, 1, OLD)
    _update(cluster, 100, DESIGN)
    _use(pipeline, cluster)
    assert "row 1 of sales_order is of transaction" in pipeline.extract()["reason"]


@pytest.mark.parametrize("batches", [1, 2], ids=["full before", "incremental before"])
def test_g1_files_put_back_to_a_copy_lead_to_a_full_batch_and_a_restart_does_not(pipeline, cluster, tmp_path, batches):
    _use(pipeline, cluster)
    if batches == 2:
        assert pipeline.extract()["batch"] == 1
    cluster.stop()
    subprocess.run(["cp", "-a", str(cluster.directory), str(tmp_path / "copy")], check=True)
    cluster.start()
    _update(cluster, 50, DESIGN)
    _update(cluster, 1, PAID)
    _use(pipeline, cluster)
    assert pipeline.extract()["batch"] == batches
    cluster.stop()
    cluster.start()
    _use(pipeline, cluster)
    assert pipeline.extract()["reason"] == "nothing changed"
    _update(cluster, 1, PAID)
    outcome = pipeline.extract()
    assert outcome["batch"] == batches + 1 and outcome["reason"] == "" and outcome["rows"] == {"payment": 1}
    _put_back(cluster, tmp_path / "copy")
    _update(cluster, 1, OLD)
    _update(cluster, 100, DESIGN)
    _use(pipeline, cluster)
    outcome = pipeline.extract()
    assert outcome["batch"] == batches + 2 and "history is another one" in outcome["reason"]
    entry = pipeline.document(pipeline.ingestion, manifest_key(batches + 2))["tables"]["sales_order"]
    assert entry["read"] == "whole" and entry["rows"] == entry["source_count"]
