"""Gateway to the lake: the rows of one batch, straight from the Parquet files its publication names."""

import io
import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv, fs

from contracts.errors import StorageError
from contracts.publication import TablePublication
from contracts.table import StarTable

#: Rows decoded at a time; with the widest table about 10 MB.
BATCH_ROWS = 32_768


def open_filesystem() -> fs.FileSystem:
    """Open S3 with the function's own credentials and, where one is set, its endpoint."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    scheme, _, address = endpoint.rpartition("://")
    options: dict[str, Any] = {"endpoint_override": address, "scheme": scheme} if address else {}
    return fs.S3FileSystem(region=os.environ.get("AWS_REGION"), **options)


def csv_rows(
    filesystem: fs.FileSystem, bucket: str, table: StarTable, batch: int, publication: TablePublication
) -> Iterator[tuple[bytes, int]]:
    """Yield the rows that `batch` wrote to `table`, as CSV without header, with their number.

    NULL is an unquoted empty field and every string is quoted, as COPY wants it. Only the named
    files are read, a row group at a time.

    Raises
    ------
    StorageError
        When a named file cannot be read.
    """
    columns = [*table.column_names, "batch_id"]
    options = csv.WriteOptions(include_header=False)
    for file in publication.files:
        try:
            with (
                filesystem.open_input_file(f"{bucket}/{file.key}") as source,
                pq.ParquetFile(source, pre_buffer=False) as parquet,
            ):
                for rows in parquet.iter_batches(batch_size=BATCH_ROWS, columns=columns, use_threads=False):
                    ours = _of_batch(rows, batch).select(list(table.column_names))
                    if ours.num_rows:
                        sink = io.BytesIO()
                        csv.write_csv(ours, sink, options)
                        yield sink.getvalue(), ours.num_rows
        except (OSError, pa.ArrowInvalid) as error:
            raise StorageError(
                f"Lake file {file.key} of batch {batch}, table {table.name}, cannot be read: {type(error).__name__}. "
                f"Nothing of the batch was loaded; the next run tries again."
            ) from error


def _of_batch(rows: pa.RecordBatch, batch: int) -> pa.RecordBatch:
    return rows.filter(pc.equal(rows.column("batch_id"), pa.scalar(batch, pa.int32())))
