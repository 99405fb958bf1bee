"""The warehouse gateway and the load, against a real server, with publications of our own making."""

import io
from dataclasses import replace
from datetime import date
from decimal import Decimal

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import DamagedDocumentError, StorageError
from contracts.layout import manifest_key, publication_key
from contracts.publication import EMPTY, DataFile
from contracts.star import LAKE_TABLES, STAR_TABLES
from lambdas.errors import (
    PrivilegeError,
    PublicationGapError,
    ReconciliationError,
    WarehouseSchemaError,
    WarehouseWriteError,
)
from lambdas.load.handler import load
from lambdas.load.settings import LoadSettings
from tests.support.samples import manifest, publication

ARROW = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "string": pa.string(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "decimal(10,2)": pa.decimal128(10, 2),
}


def put(pipeline, batch, rows_by_table, **changes):
    """Write Parquet files as the lake would, and the publication that names them."""
    tables = dict.fromkeys(LAKE_TABLES, EMPTY)
    for name, rows in rows_by_table.items():
        star = STAR_TABLES[name]
        fields = [pa.field(c.name, ARROW[c.type.spark]) for c in star.columns] + [pa.field("batch_id", pa.int32())]
        old = [(*row, batch - 1) for row in rows[:1]] if batch > 1 else []
        columns = list(zip(*[(*row, batch) for row in rows], strict=True))
        table = pa.table(
            [pa.array(column, f.type) for column, f in zip(columns, fields, strict=True)], schema=pa.schema(fields)
        )
        if old:  # a rewritten file holds rows of other batches too
            table = pa.concat_tables(
                [table, table.slice(0, 1).set_column(len(fields) - 1, fields[-1], pa.array([batch - 1], pa.int32()))]
            )
        sink = io.BytesIO()
        pq.write_table(table, sink, row_group_size=2)
        key = f"star/{name}/data/{batch}.parquet"
        pipeline.s3.put_object(Bucket=pipeline.processed, Key=key, Body=sink.getvalue())
        file = DataFile(key, len(sink.getvalue()), table.num_rows)
        tables[name] = replace(EMPTY, snapshot_id="1", files=(file,), inserted=len(rows), last_record_id=len(rows))
    tables.update(changes)
    published = publication(batch, **tables)
    pipeline.s3.put_object(Bucket=pipeline.processed, Key=publication_key(batch), Body=published.to_json())
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=manifest_key(batch), Body=manifest(batch).to_json())
    return published


STAFF = [
    (1, "Ann", "O'Keefe", "Sales", None, "a@x"),
    (2, "Bö", "", "Sales", "", 'b,\n"x"'),
    (3, "C", "\\N", "HR", "NULL", "c"),
]


def test_strings_null_and_empty_stay_what_they_are(pipeline):
    put(pipeline, 1, {"dim_staff": STAFF})
    assert pipeline.load()["loaded"] == [1]
    assert pipeline.warehouse("select * from dim_staff order by 1") == STAFF


def test_dimensions_are_updated_only_where_they_differ(pipeline):
    put(pipeline, 1, {"dim_staff": STAFF})
    pipeline.load()
    before = dict(pipeline.warehouse("select staff_id, xmin::text from dim_staff"))
    put(pipeline, 2, {"dim_staff": [(1, "Ann", "Smith", "Sales", None, "a@x"), *STAFF[1:]]})
    assert pipeline.load()["loaded"] == [2]
    after = dict(pipeline.warehouse("select staff_id, xmin::text from dim_staff"))
    assert after[1] != before[1] and after[2] == before[2] and after[3] == before[3]
    assert pipeline.warehouse("select last_name from dim_staff where staff_id = 1") == [("Smith",)]


def test_g2_loading_again_changes_nothing(pipeline):
    put(pipeline, 1, {"dim_staff": STAFF})
    assert pipeline.load()["loaded"] == [1]
    assert pipeline.load()["loaded"] == [] and pipeline.load({"step": "load", "old": "event"})["loaded"] == []
    assert pipeline.warehouse("select count(*) from etl.batch") == [(1,)]


def test_g5_a_file_with_other_rows_than_published_is_rolled_back(pipeline):
    put(
        pipeline,
        1,
        {"dim_staff": STAFF},
    )
    put(pipeline, 2, {"dim_design": [(1, "Wooden", "/usr", "f.json")]})
    pipeline.load()
    published = put(pipeline, 3, {"dim_staff": STAFF})
    wrong = {
        **published.tables,
        "dim_staff": replace(published.tables["dim_staff"], inserted=5),
    }
    pipeline.s3.put_object(Bucket=pipeline.processed, Key=publication_key(3), Body=publication(3, **wrong).to_json())
    with pytest.raises(ReconciliationError, match=r"Batch 3, table dim_staff.*3 rows.*says 5"):
        pipeline.load()
    assert pipeline.warehouse("select max(batch) from etl.batch") == [(2,)]


def test_g5_the_database_refuses_a_dangling_reference(pipeline):
    payment = (1, 1, None, "08:00:00.000", None, "08:00:00.000", 1, 1, None, 1, 1, True, None)
    day = date(2024, 1, 1)
    row = tuple(day if i in (2, 4, 12) else value for i, value in enumerate(payment))
    row = (*row[:8], Decimal("1.50"), *row[9:])
    put(pipeline, 1, {"fact_payment": [row]})
    with pytest.raises(WarehouseWriteError, match=r"batch 1.*fact_payment") as refused:
        pipeline.load()
    assert "2024" not in str(refused.value)
    assert pipeline.warehouse("select count(*) from etl.batch") == [(0,)]


def test_g3_a_load_that_dies_before_its_commit_leaves_the_old_state(pipeline, monkeypatch):
    from lambdas.load.warehouse import Warehouse

    put(pipeline, 1, {"dim_staff": STAFF})
    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, "_record", lambda *_: (_ for _ in ()).throw(MemoryError("killed")))
        with pytest.raises(MemoryError):
            pipeline.load()
    assert pipeline.warehouse("select count(*) from dim_staff") == [(0,)]
    assert pipeline.load()["loaded"] == [1]


def test_publications_before_a_poisoned_one_are_loaded(pipeline):
    for batch in (1, 2, 3):
        put(pipeline, batch, {"dim_staff": STAFF})
    pipeline.s3.put_object(Bucket=pipeline.processed, Key=publication_key(2), Body=b"{")
    with pytest.raises(DamagedDocumentError, match="00000002"):
        pipeline.load()
    assert pipeline.warehouse("select max(batch) from etl.batch") == [(1,)]


def test_a_missing_publication_is_told(pipeline):
    for batch in (1, 2, 3):
        put(pipeline, batch, {"dim_staff": STAFF})
    pipeline.s3.delete_object(Bucket=pipeline.processed, Key=publication_key(2))
    with pytest.raises(PublicationGapError, match="ends with batch 2 is missing"):
        pipeline.load()
    assert pipeline.warehouse("select max(batch) from etl.batch") == [(1,)]


def test_a_missing_data_file_is_told(pipeline):
    published = put(pipeline, 1, {"dim_staff": STAFF})
    pipeline.s3.delete_object(Bucket=pipeline.processed, Key=published.tables["dim_staff"].files[0].key)
    with pytest.raises(StorageError, match=r"star/dim_staff/data/1.parquet.*batch 1"):
        pipeline.load()


def test_freshness_is_the_age_of_the_oldest_batch_not_shown(pipeline):
    put(pipeline, 1, {"dim_staff": STAFF})
    assert pipeline.load()["freshness"] == 0
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=manifest_key(2), Body=manifest(2).to_json())
    outcome = pipeline.load()
    assert outcome["last"] == 1 and outcome["freshness"] != 0


def test_the_survey_looks_at_s3_only(pipeline):
    put(pipeline, 1, {"dim_staff": STAFF})
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=manifest_key(2), Body=manifest(2).to_json())
    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets["warehouse"], SecretString="{}"
    )
    assert pipeline.load({"step": "survey"}) == {"batches": 2, "published": 1, "untransformed": 1}


def test_nothing_is_begun_when_the_time_runs_out(pipeline):
    put(pipeline, 1, {"dim_staff": STAFF})
    put(pipeline, 2, {"dim_staff": STAFF})
    remaining = iter([900, 30, 30])
    assert load(LoadSettings(), lambda: next(remaining))["loaded"] == [1]
    assert pipeline.load()["loaded"] == [2]


def test_a_warehouse_in_another_schema(pipeline, monkeypatch):
    monkeypatch.setenv("WAREHOUSE_SCHEMA", 'star "one"')
    put(pipeline, 1, {"dim_staff": STAFF})
    pipeline.load()
    assert pipeline.warehouse('select count(*) from "star ""one""".dim_staff') == [(3,)]
    assert pipeline.warehouse("select to_regclass('public.dim_staff')") == [(None,)]


def test_an_existing_warehouse_is_used_and_its_extra_columns_left_alone(pipeline):
    put(pipeline, 1, {"dim_staff": STAFF})
    pipeline.load()
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("alter table dim_staff add column note text default 'kept'")
        connection.execute("alter table dim_staff alter column first_name type text")
    put(pipeline, 2, {"dim_staff": STAFF[:1]})
    assert pipeline.load()["loaded"] == [2]


def test_a_differing_warehouse_is_named_before_anything_is_loaded(pipeline):
    put(pipeline, 1, {"dim_staff": STAFF})
    pipeline.load()
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("alter table dim_staff drop column email_address")
        connection.execute("alter table dim_date alter column day_name type char(9)")
        connection.execute("alter table dim_location add column must text not null")
    put(pipeline, 2, {"dim_staff": STAFF})
    with pytest.raises(WarehouseSchemaError) as refused:
        pipeline.load()
    for text in (
        "dim_staff.email_address is missing",
        "dim_date.day_name is character(9)",
        "dim_location.must is unknown",
    ):
        assert text in str(refused.value)


def test_a_missing_privilege_is_explained(pipeline):
    role = "loader_" + pipeline.database
    put(pipeline, 1, {"dim_staff": STAFF})
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute(f"create role {role} login password 'pw'")
    from local.urls import secret_from_url

    url = pipeline.warehouse_url.replace("postgres:secret-warehouse", f"{role}:pw")
    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets["warehouse"], SecretString=secret_from_url(url, "warehouse")
    )
    with pytest.raises(PrivilegeError, match="Grant it"):
        pipeline.load()


def test_a_warehouse_whose_ledger_breaks_is_explained(pipeline):
    put(pipeline, 1, {"dim_staff": STAFF})
    pipeline.load()
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("alter table etl.batch rename column batch to number")
    with pytest.raises(WarehouseWriteError, match="ledger"):
        pipeline.load()
