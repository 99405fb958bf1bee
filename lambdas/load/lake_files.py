"""Gateway to the lake: the rows of Parquet files that a publication or a listing names."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from contracts.errors import StorageError
from contracts.protocol.publication import DataFile
from contracts.tables.first import gained_since
from contracts.tables.table import StarTable

#: Rows decoded at a time: while the server works on some, the next ones are made ready.
BATCH_ROWS = 8_192

#: A file of at most so many bytes is read at once: else each of its columns is a request of its own.
WHOLE_BYTES = 4 * 2**20

#: Types of columns that a file may lack.
_ARROW = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "string": pa.string(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "timestamp_ntz": pa.timestamp("us"),
    "decimal(10,2)": pa.decimal128(10, 2),
}


@dataclass(frozen=True, slots=True)
class LakeFiles:
    """The lake's data files.

    Attributes
    ----------
    filesystem
        S3, or what stands for it.
    bucket
        Name of the processed bucket.
    """

    filesystem: fs.FileSystem
    bucket: str

    @classmethod
    def open(cls, bucket: str) -> "LakeFiles":
        """Open S3 with the function's own credentials and, where one is set, its endpoint."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        scheme, _, address = endpoint.rpartition("://")
        options: dict[str, Any] = {"endpoint_override": address, "scheme": scheme} if address else {}
        return cls(fs.S3FileSystem(region=os.environ.get("AWS_REGION"), **options), bucket)

    def row_groups(self, table: StarTable, file: DataFile) -> list[int]:
        """Return how many rows each row group of a file has.

        Raises
        ------
        StorageError
            When the file cannot be read.
        """
        with self._open(table, file) as parquet:
            return [parquet.metadata.row_group(number).num_rows for number in range(parquet.num_row_groups)]

    def rows(
        self,
        table: StarTable,
        files: Iterable[DataFile],
        batch: int | None = None,
        further: Sequence[str] = (),
        row_groups: Sequence[int] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of `files`, a row group at a time.

        Parameters
        ----------
        batch
            The batch that wrote the rows that are wanted; all rows without one.
        further
            Columns beside those of the table.
        row_groups
            Numbers of the row groups that are wanted; all without them.

        Raises
        ------
        StorageError
            When a named file cannot be read, or lacks a column that was there when it was written.
        """
        columns = [*table.column_names, *further]
        for file in files:
            with self._open(table, file) as parquet:
                absent = _absent(table, file, {*columns} - {*parquet.schema_arrow.names})
                wanted = [c for c in columns if c not in absent] + ([] if batch is None else ["batch_id"])
                for rows in parquet.iter_batches(
                    batch_size=BATCH_ROWS, row_groups=row_groups, columns=wanted, use_threads=False
                ):
                    ours = (
                        rows
                        if batch is None
                        else rows.filter(pc.equal(rows.column("batch_id"), pa.scalar(batch, pa.int32())))
                    )
                    yield _with(ours, absent).select(columns)

    @contextmanager
    def _open(self, table: StarTable, file: DataFile) -> Iterator[pq.ParquetFile]:
        try:
            with self.filesystem.open_input_file(f"{self.bucket}/{file.key}") as source:
                content = pa.BufferReader(source.read()) if file.bytes <= WHOLE_BYTES else source
                with pq.ParquetFile(content, pre_buffer=False) as parquet:
                    yield parquet
        except (OSError, pa.ArrowInvalid) as error:
            raise StorageError(
                f"Lake file {file.key}, table {table.name}, cannot be read: {_reason(error)}. Its transaction was rolled back; the "
                f"next run tries again. If the file is gone (the lake's maintenance removes what newer files have replaced), "
                f"rebuild the warehouse."
            ) from error


def _reason(error: Exception) -> str:
    """Return the code by which S3 refused, or the error's class; what else the error says may quote the file."""
    refused = re.search(r"AWS Error ([A-Z_]+)", str(error))
    return refused[1] if refused else type(error).__name__


def _absent(table: StarTable, file: DataFile, missing: Iterable[str]) -> dict[str, pa.DataType]:
    """Return the columns that the contract has gained since a file was written, and their types."""
    found = {}
    for name in missing:
        if name not in table.column_names or not gained_since(table.name, name):
            raise StorageError(
                f"Lake file {file.key}, table {table.name}, has no column {name}. Its transaction was rolled back. Somebody "
                f"else has written the file: compare it with the lake."
            )
        found[name] = _ARROW[table.column(name).type.spark]
    return found


def _with(rows: pa.RecordBatch, absent: Mapping[str, pa.DataType]) -> pa.RecordBatch:
    """Return rows with further columns that have no value."""
    for name, kind in absent.items():
        rows = rows.append_column(name, pa.nulls(rows.num_rows, kind))
    return rows
