"""The reading rule where transaction ids are unusual: prepared, frozen, wrapped around, and on another timeline."""

from pathlib import Path

import psycopg
import pytest

from contracts.protocol.object_layout import manifest_key
from local.servers.postgres import PostgresServer
from local.servers.urls import secret_from_url
from local.simulator.business import create_schema, seed


def _keys(pipeline, batch, table="sales_order"):
    entry = pipeline.document(pipeline.ingestion, manifest_key(batch))["tables"][table]
    texts = [
        pipeline.s3.get_object(Bucket=pipeline.ingestion, Key=p["key"])["Body"].read().decode() for p in entry["parts"]
    ]
    return {int(line.split(",")[0]) for text in texts for line in text.splitlines()[1:]}


def _use(pipeline, url):
    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets["source"], SecretString=secret_from_url(url, "source")
    )


def test_g1_a_prepared_transaction_arrives_when_it_commits(pipeline):
    name = pipeline.database
    with pipeline.source() as connection:
        connection.execute("update sales_order set staff_id = 1 where sales_order_id = 5")
        connection.execute(f"prepare transaction '{name}'")
    pipeline.extract()
    with psycopg.connect(pipeline.source_url, autocommit=True) as connection:
        connection.execute(f"commit prepared '{name}'")
    pipeline.extract()
    assert 5 in _keys(pipeline, 2)


def test_g1_rows_frozen_by_vacuum_arrive(pipeline):
    pipeline.extract()
    with psycopg.connect(pipeline.source_url, autocommit=True) as connection:
        connection.execute("update sales_order set staff_id = 1 where sales_order_id = 5")
        connection.execute("vacuum (freeze) sales_order")
    pipeline.extract()
    assert _keys(pipeline, 2) == {5}


def test_g1_rows_loaded_frozen_arrive(pipeline):
    pipeline.extract()
    with pipeline.source() as connection:
        connection.execute("update payment set payment_amount = payment_amount + 1")
        rows = connection.execute("select * from payment").fetchall()
        connection.execute("truncate payment")
        with connection.cursor() as cursor, cursor.copy("copy payment from stdin (freeze)") as copy:
            for row in rows:
                copy.write_row(row)
    pipeline.extract()
    assert len(_keys(pipeline, 2, "payment")) == len(rows)


def _run(tool, *arguments, server):
    """Run one of PostgreSQL's programs as the user that owns the cluster."""
    done = server._run(tool, *arguments)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def cluster(tmp_path):
    """A cluster of its own, to be bent."""
    server = PostgresServer(tmp_path / "cluster", password="pw", database="totesys")
    server.start()
    yield server
    server.stop()


def test_g1_the_horizon_holds_across_the_wrap_around_of_transaction_ids(pipeline, cluster):
    with psycopg.connect(cluster.url) as connection:
        create_schema(connection)
        seed(connection, days=3)
    for database in ("totesys", "postgres", "template1"):
        with psycopg.connect(cluster.url.rsplit("/", 1)[0] + f"/{database}", autocommit=True) as connection:
            connection.execute("vacuum (freeze)")
    cluster.stop()
    start = 2**32 - 2**15  # the first id of a page of the commit log, 32,768 before the wrap
    _run("pg_resetwal", "-f", "-x", str(start), "-D", str(cluster.directory), server=cluster)
    cluster.start()
    _use(pipeline, cluster.url)
    assert pipeline.extract()["batch"] == 1
    assert pipeline.document(pipeline.ingestion, manifest_key(1))["horizon"] >= start
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        with psycopg.connect(cluster.url) as late:
            late.execute("update sales_order set staff_id = 1 where sales_order_id = 1")
            connection.execute(
                "do $$ begin for i in 1..33000 loop perform pg_current_xact_id(); commit; end loop; end $$"
            )
            assert connection.execute("select pg_current_xact_id()::text::bigint").fetchone()[0] > 2**32
            connection.execute("update sales_order set staff_id = 2 where sales_order_id = 2")
            assert pipeline.extract()["batch"] == 2
            assert _keys(pipeline, 2) == {2}
            late.commit()
        assert pipeline.extract()["batch"] == 3
        assert 1 in _keys(pipeline, 3)
        assert pipeline.document(pipeline.ingestion, manifest_key(3))["horizon"] > 2**32
        assert pipeline.extract()["batch"] is None
        connection.execute("update sales_order set staff_id = 3 where sales_order_id = 3")
    pipeline.extract()
    assert _keys(pipeline, 4) == {3}


def test_g1_a_source_restored_into_a_new_cluster_is_read_whole_and_so_is_the_old_one_when_they_are_swapped(
    pipeline, cluster, tmp_path
):
    pipeline.extract()
    dump = tmp_path / "dump.sql"
    dump.touch()
    dump.chmod(0o666)  # the server's user writes it
    _run("pg_dump", "-d", pipeline.source_url, "-f", str(dump), server=cluster)
    _run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", cluster.url, "-f", str(dump), server=cluster)
    with pipeline.source() as connection:
        connection.execute("update sales_order set staff_id = 1 where sales_order_id = 1")
    for batch, url in ((2, cluster.url), (3, pipeline.source_url), (4, cluster.url)):
        _use(pipeline, url)
        outcome = pipeline.extract()
        assert outcome["batch"] == batch and "the source is another cluster than before" in outcome["reason"]
        with psycopg.connect(url) as connection:
            (rows,) = connection.execute("select count(*) from sales_order").fetchone()
        assert len(_keys(pipeline, batch)) == rows == outcome["rows"]["sales_order"]
        assert pipeline.extract()["batch"] is None


def test_g1_a_promoted_standby_is_read_whole_and_a_standby_can_be_read(pipeline, cluster, tmp_path):
    with psycopg.connect(cluster.url) as connection:
        create_schema(connection)
        seed(connection, days=3)
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        connection.execute("alter system set wal_level = replica")
    hba = Path(cluster.directory) / "pg_hba.conf"
    assert "replication" in hba.read_text()
    _use(pipeline, cluster.url)
    assert pipeline.extract()["reason"] == "first batch"
    standby = PostgresServer(tmp_path / "standby", password="pw", database="totesys")
    url = cluster.url.rsplit("/", 1)[0] + "/postgres"
    _run("pg_basebackup", "-d", url, "-D", str(standby.directory), "-R", "-c", "fast", "--no-sync", server=cluster)
    standby.start()
    try:
        _use(pipeline, standby.url)
        assert pipeline.extract()["batch"] is None  # the same history, seen from the standby
        _run("pg_ctl", "promote", "-w", "-D", str(standby.directory), server=standby)
        outcome = pipeline.extract()
        assert outcome["batch"] == 2 and outcome["reason"] == "the source is another timeline than before (1, now 2)"
        assert pipeline.extract()["batch"] is None
    finally:
        standby.stop()


def test_a_normal_login_may_ask_for_the_identity(pipeline):
    with pipeline.source() as connection:
        connection.execute(f"create role plain_{pipeline.database} login password 'pw'")
        connection.execute(f"grant select on all tables in schema public to plain_{pipeline.database}")
    _use(pipeline, pipeline.source_url.replace("postgres:secret-source", f"plain_{pipeline.database}:pw"))
    assert pipeline.extract()["batch"] == 1
