"""The warehouse gateway and the load, against a real server, with publications of our own making."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from contracts.errors import DamagedDocumentError, StorageError
from contracts.protocol.object_layout import load_key, manifest_key, publication_key
from contracts.protocol.publication import DataFile, Superseded
from contracts.tables.star import STAR_TABLES
from lambdas.errors import (
    PublicationGapError,
    ReconciliationError,
    WarehouseWriteError,
)
from lambdas.load.lake_files import BATCH_ROWS, LakeFiles
from lambdas.load.run import load
from lambdas.load.settings import LoadSettings
from lambdas.observability import age
from tests.support.lake import FakeLake
from tests.support.samples import manifest


@pytest.fixture
def lake(pipeline):
    return FakeLake(pipeline)


STAFF = [
    (1, "Ann", "O'Keefe", "Sales", None, "a@x"),
    (2, "Bö", "", "Sales", "", 'b,\n"x"'),
    (3, "C", "\\N", "HR", "NULL", "c"),
]


def test_strings_null_and_empty_stay_what_they_are(pipeline, lake):
    lake.publish({"dim_staff": STAFF})
    assert pipeline.load()["loaded"] == [1]
    assert pipeline.warehouse("select * from dim_staff order by 1") == STAFF


def test_dimensions_are_updated_only_where_they_differ(pipeline, lake):
    lake.publish({"dim_staff": STAFF})
    pipeline.load()
    before = dict(pipeline.warehouse("select staff_id, xmin::text from dim_staff"))
    lake.publish({"dim_staff": [(1, "Ann", "Smith", "Sales", None, "a@x"), *STAFF[1:]]})
    assert pipeline.load()["loaded"] == [2]
    after = dict(pipeline.warehouse("select staff_id, xmin::text from dim_staff"))
    assert after[1] != before[1] and after[2] == before[2] and after[3] == before[3]
    assert pipeline.warehouse("select last_name from dim_staff where staff_id = 1") == [("Smith",)]


def test_g2_loading_again_changes_nothing(pipeline, lake):
    lake.publish({"dim_staff": STAFF})
    assert pipeline.load()["loaded"] == [1]
    assert pipeline.load()["loaded"] == [] and pipeline.load({"trigger": "somebody"})["loaded"] == []
    assert pipeline.warehouse("select count(*) from etl.batch") == [(1,)]


def test_g5_a_file_with_other_rows_than_published_is_rolled_back(pipeline, lake):
    lake.publish(
        {"dim_staff": STAFF},
    )
    lake.publish({"dim_design": [(1, "Wooden", "/usr", "f.json")]})
    pipeline.load()
    published = lake.publish({"dim_staff": STAFF})
    wrong = {**published.tables, "dim_staff": replace(published.tables["dim_staff"], inserted=2)}
    lake.put(pipeline.processed, publication_key(3), replace(published, tables=wrong).to_json())
    with pytest.raises(ReconciliationError, match=r"Batch 3, table dim_staff.*3 rows.*says 5"):
        pipeline.load()
    assert pipeline.warehouse("select max(batch) from etl.batch") == [(2,)]


def test_g5_the_database_refuses_a_dangling_reference(pipeline, lake):
    day = date(2024, 1, 1)
    lake.publish(
        {"fact_payment": [(1, day, "08:00:00.000", day, "08:00:00.000", 1, 1, Decimal("1.50"), 1, 1, True, day)]}
    )
    with pytest.raises(WarehouseWriteError, match=r"batch 1.*fact_payment") as refused:
        pipeline.load()
    assert "2024" not in str(refused.value)
    assert pipeline.warehouse("select count(*) from etl.batch") == [(0,)]


def test_g3_a_load_that_dies_before_its_commit_leaves_the_old_state(pipeline, lake, monkeypatch):
    from lambdas.load.warehouse.ledger import Ledger

    lake.publish({"dim_staff": STAFF})
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "record", lambda *_, **__: (_ for _ in ()).throw(MemoryError("killed")))
        with pytest.raises(MemoryError):
            pipeline.load()
    assert pipeline.warehouse("select count(*) from dim_staff") == [(0,)]
    assert pipeline.load()["loaded"] == [1]


def test_publications_before_a_poisoned_one_are_loaded(pipeline, lake):
    for _ in range(3):
        lake.publish({"dim_staff": STAFF})
    pipeline.s3.put_object(Bucket=pipeline.processed, Key=publication_key(2), Body=b"{")
    with pytest.raises(DamagedDocumentError, match="00000002"):
        pipeline.load()
    assert pipeline.warehouse("select max(batch) from etl.batch") == [(1,)]


def test_a_missing_publication_is_told(pipeline, lake):
    for _ in range(3):
        lake.publish({"dim_staff": STAFF})
    pipeline.s3.delete_object(Bucket=pipeline.processed, Key=publication_key(2))
    with pytest.raises(PublicationGapError, match="ends with batch 2 is missing"):
        pipeline.load()
    assert pipeline.warehouse("select max(batch) from etl.batch") == [(1,)]


def test_a_missing_data_file_is_told(pipeline, lake):
    published = lake.publish({"dim_staff": STAFF})
    pipeline.s3.delete_object(Bucket=pipeline.processed, Key=published.tables["dim_staff"].files[0].key)
    with pytest.raises(StorageError, match=r"star/dim_staff/data/1.parquet.*rebuild the warehouse"):
        pipeline.load()


def test_freshness_is_the_age_of_the_oldest_batch_not_shown(pipeline, lake):
    lake.publish({"dim_staff": STAFF})
    assert pipeline.load()["freshness"] == 0
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=manifest_key(2), Body=manifest(2).to_json())
    outcome = pipeline.load()
    assert outcome["last"] == 1 and outcome["freshness"] != 0


def _ago(seconds):
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def test_g5_a_source_whose_clock_is_ahead_hides_no_waiting(pipeline, lake, caplog):
    lake.head = {"snapshot_time": _ago(-3600), "extracted_at": _ago(50)}
    lake.publish({"dim_staff": STAFF})
    waiting = replace(manifest(2), lake=lake.lake, **lake.head)
    lake.put(pipeline.ingestion, manifest_key(2), waiting.to_json())
    assert 50 <= pipeline.load()["freshness"] < 3000
    (told,) = [record for record in caplog.records if record.getMessage() == "publication loaded"]
    assert 50 <= told.seconds_to_warehouse < 3000


def test_g5_an_age_is_never_below_zero(pipeline, lake):
    lake.head = {"format": 1, "snapshot_time": _ago(-3600)}
    lake.publish({"dim_staff": STAFF})
    assert age(_ago(-3600)) == 0 and age(_ago(5)) >= 5
    assert load(LoadSettings(), lambda: 30).freshness == 0


def test_batches_that_a_publication_takes_the_place_of_are_told(pipeline, lake, caplog):
    lake.batch = 1
    published = lake.publish({"dim_staff": STAFF})
    left_out = replace(published, first=1, superseded=(Superseded(1, "a part is gone"),))
    lake.put(pipeline.processed, publication_key(2), left_out.to_json())
    assert pipeline.load()["loaded"] == [2]
    (told,) = [record for record in caplog.records if record.getMessage() == "batch superseded"]
    assert (told.levelname, told.batch, told.by, told.reason) == ("WARNING", 1, 2, "a part is gone")


def _unconfirmed(pipeline, capsys):
    """What an extraction tells of the oldest batch that no load has confirmed, in seconds."""
    capsys.readouterr()
    pipeline.extract()
    (line,) = [line for line in capsys.readouterr().out.splitlines() if '"OldestUnloadedBatchAge":[' in line]
    return json.loads(line)["OldestUnloadedBatchAge"][0]


def test_g5_a_batch_that_no_load_confirms_is_told_by_the_extraction(pipeline, lake, capsys):
    assert _unconfirmed(pipeline, capsys) == 0  # nothing waits yet: this extraction commits the first batch
    assert _unconfirmed(pipeline, capsys) > 0
    lake.publish({"dim_staff": STAFF})
    pipeline.load()
    assert pipeline.keys(pipeline.processed, "loads/") == [load_key(1)]
    assert _unconfirmed(pipeline, capsys) == 0


def test_what_was_loaded_before_a_poisoned_publication_is_confirmed(pipeline, lake):
    for _ in range(2):
        lake.publish({"dim_staff": STAFF})
    lake.put(pipeline.processed, publication_key(2), b"{")
    with pytest.raises(DamagedDocumentError):
        pipeline.load()
    assert pipeline.keys(pipeline.processed, "loads/") == [load_key(1)]


def test_g9_rows_of_a_file_are_read_a_few_at_a_time_and_files_one_after_the_other(tmp_path):
    files = []
    for number, rows in enumerate((3 * BATCH_ROWS, 5)):
        pq.write_table(pa.table({"design_id": range(rows), "batch_id": [1] * rows}), tmp_path / f"{number}.parquet")
        files.append(DataFile(f"{number}.parquet", 1, rows))
    (tmp_path / "1.parquet").unlink()
    table = replace(STAR_TABLES["dim_design"], columns=STAR_TABLES["dim_design"].columns[:1])
    read = LakeFiles(fs.SubTreeFileSystem(str(tmp_path.parent), fs.LocalFileSystem()), tmp_path.name).rows(
        table, files, 1
    )
    assert [next(read).num_rows for _ in range(3)] == [BATCH_ROWS] * 3
    with pytest.raises(StorageError, match=r"1\.parquet"):
        next(read)


def test_the_pending_check_looks_at_s3_only(pipeline, lake):
    lake.publish({"dim_staff": STAFF})
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=manifest_key(2), Body=manifest(2).to_json())
    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets["warehouse"], SecretString="{}"
    )
    answer = pipeline.load({"step": "check_pending"})
    assert answer.pop("waits_seconds") > 0
    assert answer == {"batches": 2, "published": 1, "untransformed": 1, "full_pending": False}


def test_nothing_is_begun_when_the_time_runs_out(pipeline, lake):
    lake.publish({"dim_staff": STAFF})
    lake.publish({"dim_staff": STAFF})
    remaining = iter([900] * 3 + [30, 30])
    assert load(LoadSettings(), lambda: next(remaining)).loaded == (1,)
    assert pipeline.load()["loaded"] == [2]


def test_a_warehouse_whose_ledger_breaks_is_explained(pipeline, lake):
    lake.publish({"dim_staff": STAFF})
    pipeline.load()
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("alter table etl.batch rename column batch to number")
    with pytest.raises(WarehouseWriteError, match="ledger"):
        pipeline.load()
