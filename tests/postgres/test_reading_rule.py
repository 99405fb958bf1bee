"""The reading rule against a real server, with real concurrent transactions."""

import os
import threading
import time

import psycopg
import pytest
from botocore.exceptions import ClientError

from contracts.checksum import mix
from contracts.errors import StorageError
from contracts.protocol.bucket import Bucket
from contracts.protocol.object_layout import manifest_key
from lambdas.errors import (
    SourceReadError,
    SourceSchemaError,
)
from lambdas.extract.run import extract
from lambdas.extract.settings import ExtractSettings

#: Rounds of two extractions that start together; `make stress` runs 50.
RACES = int(os.environ.get("RACES", "10"))


def _parts(pipeline, batch, table):
    entry = pipeline.document(pipeline.ingestion, manifest_key(batch))["tables"][table]
    texts = [
        pipeline.s3.get_object(Bucket=pipeline.ingestion, Key=p["key"])["Body"].read().decode() for p in entry["parts"]
    ]
    return [line for text in texts for line in text.splitlines()[1:]]


def _keys(pipeline, batch, table="sales_order"):
    return {int(line.split(",")[0]) for line in _parts(pipeline, batch, table)}


def test_g4_count_and_checksum_are_the_sources_own(pipeline):
    pipeline.extract()
    entry = pipeline.document(pipeline.ingestion, manifest_key(1))["tables"]["sales_order"]
    with pipeline.source() as connection:
        keys = [row[0] for row in connection.execute("select sales_order_id from sales_order")]
    assert entry["source_count"] == len(keys) == entry["rows"]
    assert entry["source_key_checksum"] == sum(map(mix, keys))


def test_no_change_writes_nothing(pipeline):
    assert pipeline.extract()["batch"] == 1
    before = pipeline.keys(pipeline.ingestion)
    assert pipeline.extract() | {"seconds": 0} == {
        "batch": None,
        "is_whole": True,
        "reason": "nothing changed",
        "rows": {},
        "seconds": 0,
    }
    assert pipeline.keys(pipeline.ingestion) == before


@pytest.mark.parametrize("isolation", list(psycopg.IsolationLevel))
def test_g1_a_row_that_commits_after_the_batch_arrives_in_the_next(pipeline, isolation):
    with psycopg.connect(pipeline.source_url) as late:
        late.isolation_level = isolation
        late.execute("update sales_order set staff_id = 1 where sales_order_id = 5")
        assert pipeline.extract()["batch"] == 1
        late.commit()
    assert pipeline.extract()["batch"] == 2
    assert 5 in _keys(pipeline, 2)


def test_g1_a_subtransaction_of_a_late_commit_arrives(pipeline):
    with psycopg.connect(pipeline.source_url) as late:
        late.execute("update sales_order set staff_id = 1 where sales_order_id = 5")
        with late.transaction():  # a savepoint: its rows carry an id of their own
            late.execute("update sales_order set staff_id = 2 where sales_order_id = 6")
        pipeline.extract()
        late.commit()
    pipeline.extract()
    assert {5, 6} <= _keys(pipeline, 2)


def test_g1_equal_timestamps_silent_updates_and_late_commits_arrive(pipeline):
    """Beside ours reads everybody's rule as a control: that it finds none of these changes is why ours exists."""
    pipeline.extract()
    with pipeline.source() as connection, psycopg.connect(pipeline.source_url) as late:
        (seen,) = connection.execute("select max(last_updated) from sales_order").fetchone()
        late.execute("update sales_order set staff_id = 1, last_updated = %s where sales_order_id = 5", (seen,))
        connection.execute("update sales_order set last_updated = %s where sales_order_id = 1", (seen,))
        connection.execute("update sales_order set agreed_delivery_location_id = 9 where sales_order_id = 2")
        connection.commit()
        pipeline.extract()
        late.commit()
        pipeline.extract()
        control = connection.execute("select count(*) from sales_order where last_updated > %s", (seen,)).fetchone()
    assert _keys(pipeline, 2) == {1, 2} and 5 in _keys(pipeline, 3)
    assert control == (0,)


def test_a_transaction_that_stays_open_causes_one_batch_and_not_one_a_run(pipeline):
    with psycopg.connect(pipeline.source_url) as holding:
        holding.execute("update staff set department_id = 1 where staff_id = 1")
        pipeline.extract()
        with pipeline.source() as connection:
            connection.execute("update sales_order set staff_id = 3 where sales_order_id = 6")
        assert pipeline.extract()["batch"] == 2
        assert [pipeline.extract()["batch"] for _ in range(3)] == [None, None, None]
        with pipeline.source() as connection:
            connection.execute("update sales_order set staff_id = 4 where sales_order_id = 6")
        assert pipeline.extract()["batch"] == 3
        holding.rollback()


def test_g4_all_tables_come_from_one_snapshot(pipeline, monkeypatch):
    """An order that commits while the tables are read is in none of them."""
    from lambdas.extract import run

    plain = run.write_parts

    def disturbed(*arguments, **named):
        with pipeline.source() as connection:
            connection.execute("update sales_order set units_sold = 424242 where sales_order_id = 1")
        return plain(*arguments, **named)

    monkeypatch.setattr(run, "write_parts", disturbed)
    pipeline.extract()
    assert not [line for line in _parts(pipeline, 1, "sales_order") if "424242" in line]
    monkeypatch.undo()
    for name, value in pipeline.variables.items():
        monkeypatch.setenv(name, value)
    pipeline.extract()
    assert _keys(pipeline, 2) == {1}


def test_g2_of_two_racing_extractions_one_commits_each_time(pipeline, monkeypatch):
    rounds, barrier, plain = RACES, threading.Barrier(2), Bucket.put_once

    def together(*arguments):
        barrier.wait(timeout=30)
        return plain(*arguments)

    monkeypatch.setattr(Bucket, "put_once", together)
    for number in range(1, rounds + 1):
        with pipeline.source() as connection:
            connection.execute("update sales_order set units_sold = units_sold + 1 where sales_order_id = 1")
        outcomes = []
        threads = [
            threading.Thread(target=lambda into=outcomes: into.append(extract(ExtractSettings()))) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(str(o.batch) for o in outcomes) == sorted([str(number), "None"])
        (loser,) = [o for o in outcomes if o.batch is None]
        assert "lost the race" in loser.reason
    assert pipeline.keys(pipeline.ingestion, "batches/") == [manifest_key(n) for n in range(1, rounds + 1)]


def test_g3_an_extraction_that_dies_before_its_manifest_leaves_no_batch(pipeline, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            "contracts.protocol.bucket.Bucket.put_once", lambda *_: (_ for _ in ()).throw(MemoryError("killed"))
        )
        with pytest.raises(MemoryError):
            pipeline.extract()
    assert pipeline.keys(pipeline.ingestion) and not pipeline.keys(pipeline.ingestion, "batches/")
    assert pipeline.extract()["batch"] == 1


def test_g3_storage_that_fails_in_the_middle_of_a_table_is_told_and_the_next_run_goes_on(pipeline, monkeypatch):
    with pipeline.source() as connection:
        connection.execute("update design set file_name = repeat('x', 100000)")
    with monkeypatch.context() as patch:
        refused = ClientError({"Error": {"Code": "SlowDown", "Message": "no"}}, "upload_part")
        for buffer in ("PACK_BYTES", "SEND_BYTES"):
            patch.setattr(f"lambdas.extract.parts.{buffer}", 1000)
        patch.setattr("lambdas.extract.parts._Upload._send", lambda _: (_ for _ in ()).throw(refused))
        with pytest.raises(StorageError, match="No batch was committed"):
            pipeline.extract()
    assert pipeline.keys(pipeline.ingestion, "batches/") == []
    assert pipeline.extract()["batch"] == 1


def test_g3_a_source_that_fails_in_the_middle_of_a_table_is_told_and_the_next_run_goes_on(pipeline, monkeypatch):
    from lambdas.extract import run

    with pipeline.source() as connection:
        connection.execute("update design set file_name = repeat('x', 1000000)")
    plain, backends = (
        run.write_parts,
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s",
    )

    def disturbed(client, bucket, chunks, *arguments, **named):
        def cut():
            yield next(chunks)
            with pipeline.source() as connection:
                connection.execute(backends, ("totesys-extract",))
            yield from chunks

        return plain(client, bucket, cut(), *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(run, "write_parts", disturbed)
        with pytest.raises(SourceReadError, match="No batch was committed"):
            pipeline.extract()
    assert pipeline.keys(pipeline.ingestion, "batches/") == []
    assert pipeline.extract()["batch"] == 1


def test_g10_a_changed_schema_writes_nothing(pipeline):
    with pipeline.source() as connection:
        connection.execute("alter table staff drop column email_address")
        connection.execute("alter table payment alter column paid type text")
        connection.execute("alter table design rename to designs")
        connection.execute("alter table sales_order alter column unit_price type numeric(12,4)")
    with pytest.raises(SourceSchemaError) as refused:
        pipeline.extract()
    for text in ("staff.email_address is missing", "payment.paid is text", "table design is missing", "numeric(12,4)"):
        assert text in str(refused.value)
    assert pipeline.keys(pipeline.ingestion) == []


def test_g10_an_added_column_is_extracted_recorded_and_warned_of_once(pipeline, caplog):
    pipeline.extract()
    with pipeline.source() as connection:
        connection.execute('alter table staff add column "nick ""name""" text')
        connection.execute("alter table design add column colour text not null default 'red'")
        connection.execute("create table parrot (id int)")
        connection.execute('update staff set "nick ""name""" = \'Bö, "x"\' where staff_id = 1')
    for expected, warnings in ((2, 1), (3, 0)):
        caplog.clear()
        assert pipeline.extract()["batch"] == expected
        assert len([r for r in caplog.records if 'staff.nick "name"' in r.getMessage()]) == warnings
        entry = pipeline.document(pipeline.ingestion, manifest_key(expected))["tables"]["staff"]
        assert entry["columns"][-1] == 'nick "name"' and entry["read"] == "whole"
        with pipeline.source() as connection:
            connection.execute("update staff set department_id = department_id % 8 + 1 where staff_id = 2")
    assert any('"Bö, ""x"""' in line for line in _parts(pipeline, 3, "staff"))


def test_tables_that_the_contract_does_not_know_are_mentioned_with_a_full_batch_only(pipeline, caplog):
    with pipeline.source() as connection:
        connection.execute("create table parrot (id int)")
    pipeline.extract()
    mentions = [r.getMessage() for r in caplog.records if "is not in the contract" in r.getMessage()]
    assert mentions == ["table parrot is not in the contract: not read"]
    caplog.clear()
    with pipeline.source() as connection:
        connection.execute("update staff set department_id = department_id % 8 + 1 where staff_id = 2")
    pipeline.extract()
    assert "parrot" not in caplog.text


def test_a_transaction_that_holds_the_horizon_back_is_told(pipeline, caplog):
    def horizon_age():
        caplog.clear()
        pipeline.extract()
        return max((getattr(record, "horizon_age_seconds", 0) for record in caplog.records), default=0)

    assert horizon_age() == 0
    with psycopg.connect(pipeline.source_url) as holding:
        holding.execute("update staff set department_id = 1 where staff_id = 1")
        with pipeline.source() as connection:
            connection.execute("update sales_order set staff_id = 3 where sales_order_id = 6")
        pipeline.extract()
        time.sleep(1)
        assert 1 <= horizon_age() < 60
    pipeline.extract()
    assert horizon_age() == 0


def test_tables_in_many_parts_keep_every_row(pipeline, monkeypatch):
    monkeypatch.setenv("PART_BYTES", "1000")
    monkeypatch.setattr("lambdas.extract.copying.CHUNK_BYTES", 200)
    pipeline.extract()
    entry = pipeline.document(pipeline.ingestion, manifest_key(1))["tables"]["payment"]
    assert len(entry["parts"]) > 3 and len(_parts(pipeline, 1, "payment")) == entry["rows"] == entry["source_count"]


def test_g6_a_batch_carries_the_complete_key_lists_that_a_deletion_or_the_event_asks_for(pipeline):
    from lambdas.extract.handler import handler
    from tests.support.pipeline import lambda_context

    pipeline.extract()
    with pipeline.source() as connection:
        connection.execute("delete from payment where payment_id = 7")
    assert pipeline.extract()["batch"] == 2  # no row version tells of it, the count does: the list comes unasked
    assert pipeline.extract()["batch"] is None
    tables = pipeline.document(pipeline.ingestion, manifest_key(2))["tables"]
    assert tables["staff"]["key_parts"] is None and tables["payment"]["read"] == "nothing"
    (part,) = tables["payment"]["key_parts"]
    assert part["key"].startswith("keys/payment/extracted_date=") and part["rows"] == tables["payment"]["source_count"]
    text = pipeline.s3.get_object(Bucket=pipeline.ingestion, Key=part["key"])["Body"].read().decode().split()
    with pipeline.source() as connection:
        keys = {str(row[0]) for row in connection.execute("select payment_id from payment")}
    assert text[0] == "payment_id" and set(text[1:]) == keys and "7" not in keys
    assert handler({"keys": ["staff"]}, lambda_context())["batch"] == 3
    tables = pipeline.document(pipeline.ingestion, manifest_key(3))["tables"]
    assert {name for name, table in tables.items() if table["key_parts"] is not None} == {"staff"}
    assert handler({"keys": "all", "trigger": "schedule"}, lambda_context())["batch"] == 4
    tables = pipeline.document(pipeline.ingestion, manifest_key(4))["tables"]
    assert all(len(table["key_parts"]) == 1 for table in tables.values())


@pytest.mark.parametrize("keys", ["some", ["parrot"], [7], {"payment": True}])
def test_an_event_that_asks_for_other_keys_is_explained(pipeline, keys):
    from lambdas.errors import EventError
    from lambdas.extract.handler import handler
    from tests.support.pipeline import lambda_context

    with pytest.raises(EventError, match=r"The event(:\.keys| asks for keys of)"):
        handler({"keys": keys}, lambda_context())
    assert pipeline.keys(pipeline.ingestion) == []
