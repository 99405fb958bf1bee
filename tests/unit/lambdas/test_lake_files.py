"""Rows of the lake's files, as the load reads them: also of files from before the contract gained a column."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from contracts.errors import StorageError
from contracts.protocol.publication import DataFile
from contracts.tables.first import FIRST_COLUMNS
from contracts.tables.star import DIM_PAYMENT_TYPE, STAR_TABLES
from contracts.tables.table import StarTable
from lambdas.load.lake_files import _ARROW, LakeFiles

ROWS = {"payment_type_id": pa.array([1, 2, 3], pa.int32()), "batch_id": pa.array([1, 2, 2], pa.int32())}


@pytest.fixture
def lake(tmp_path):
    (tmp_path / "processed").mkdir()
    return LakeFiles(fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()), "processed"), tmp_path / "processed"


def read(lake, table=DIM_PAYMENT_TYPE, **columns):
    files, directory = lake
    pq.write_table(pa.table({**ROWS, **columns}), directory / "1.parquet")
    return [row for rows in files.rows(table, [DataFile("1.parquet", 1, 3)], 2) for row in rows.to_pylist()]


def test_the_rows_of_one_batch_are_read(lake):
    assert read(lake, payment_type_name=["a", "b", "c"], row_hash=["x"] * 3) == [
        {"payment_type_id": 2, "payment_type_name": "b"},
        {"payment_type_id": 3, "payment_type_name": "c"},
    ]


def test_g11_a_column_that_the_contract_has_gained_since_has_no_value(lake, monkeypatch):
    monkeypatch.setitem(FIRST_COLUMNS, "dim_payment_type", frozenset({"payment_type_id"}))
    assert read(lake) == [
        {"payment_type_id": 2, "payment_type_name": None},
        {"payment_type_id": 3, "payment_type_name": None},
    ]


def test_a_file_that_lacks_another_column_is_told_by_name(lake):
    with pytest.raises(StorageError, match=r"1\.parquet, table dim_payment_type, has no column payment_type_name"):
        read(lake)


def test_every_type_of_a_star_column_may_be_absent():
    assert isinstance(DIM_PAYMENT_TYPE, StarTable)
    assert {column.type.spark for table in STAR_TABLES.values() for column in table.columns} <= _ARROW.keys()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            OSError("When reading 'x': AWS Error ACCESS_DENIED during HeadObject operation: No"),
            "cannot be read: ACCESS_DENIED.",
        ),
        (FileNotFoundError("/x"), "cannot be read: FileNotFoundError."),
    ],
)
def test_why_a_file_cannot_be_read_is_told_by_a_code_only(lake, monkeypatch, error, told):
    def refuse(*_, **options):
        raise error

    monkeypatch.setattr("lambdas.load.lake_files.pq.ParquetFile", refuse)
    (lake[1] / "1.parquet").touch()
    with pytest.raises(StorageError, match=told) as raised:
        lake[0].row_groups(DIM_PAYMENT_TYPE, DataFile("1.parquet", 1, 3))
    assert "HeadObject" not in str(raised.value)
