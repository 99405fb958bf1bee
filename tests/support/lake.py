"""A lake without Spark: Parquet files and publications as the job writes them, with the figures that belong to them."""

import io
import uuid
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.checksum import mix
from contracts.protocol.listing import LISTED_TABLES, Listing
from contracts.protocol.object_layout import listing_key, manifest_key, publication_key
from contracts.protocol.publication import EMPTY, DataFile
from contracts.release import FORMAT
from contracts.tables.lake import LAKE_TABLES, SOURCE_DELETION
from contracts.tables.star import STAR_TABLES
from contracts.tables.table import Kind
from tests.support.samples import TIME, manifest, publication

ARROW = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "string": pa.string(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "decimal(10,2)": pa.decimal128(10, 2),
    "timestamp_ntz": pa.timestamp("us"),
}
EPOCH = date(1970, 1, 1)


def number(key):
    return (key - EPOCH).days if isinstance(key, date) else key


def ranges(numbers):
    """Numbers as ranges without gaps, ends included."""
    found = []
    for n in sorted(numbers):
        if found and found[-1][1] == n - 1:
            found[-1] = (found[-1][0], n)
        else:
            found.append((n, n))
    return tuple(found)


class FakeLake:
    """Publications of one pipeline, one after the other; each lake has a name of its own.

    Rows of facts are given without their record ids.

    Attributes
    ----------
    head
        What the next manifests and publications say of themselves, where it differs from the samples.
    """

    def __init__(self, pipeline, *, row_group_size=2):
        self.pipeline = pipeline
        self.lake = uuid.uuid4().hex
        self.head = {}
        self.batch = 0
        self.tables = dict.fromkeys(LAKE_TABLES, EMPTY)
        self.current = {name: set() for name in STAR_TABLES}
        self.files = {name: [] for name in LISTED_TABLES}
        self.dimensions = {name: {} for name in STAR_TABLES}
        self.row_group_size = row_group_size

    def publish(self, rows_by_table=None, deleted=None, **changes):
        """Write a batch.

        Parameters
        ----------
        rows_by_table
            New or changed rows of star tables, and all rows of histories.
        deleted
            Source table and keys that were deleted.
        """
        self.batch += 1
        tables = {
            name: replace(
                t, files=(), inserted=0, updated=0, deleted=0, surplus=0, first_record_id=t.last_record_id + 1
            )
            for name, t in self.tables.items()
        }
        for name, rows in (rows_by_table or {}).items():
            tables[name] = self._write(LAKE_TABLES[name], rows, tables[name])
        if deleted:
            self._delete(tables, deleted)
        self.tables = tables | changes
        extracted = replace(manifest(self.batch), lake=self.lake, **self.head)
        published = replace(
            publication(self.batch, **self.tables),
            lake=self.lake,
            manifest=extracted.digest,
            calendar=ranges(map(number, self.current["dim_date"])),
            **self.head,
        )
        self.put(self.pipeline.ingestion, manifest_key(self.batch), extracted.to_json())
        self.put(self.pipeline.processed, publication_key(self.batch), published.to_json())
        return published

    def put(self, bucket, key, body):
        self.pipeline.s3.put_object(Bucket=bucket, Key=key, Body=body)

    def list_files(self):
        """Write the listing of what the lake holds now."""
        tables = {name: tuple(files) for name, files in self.files.items()}
        listing = Listing(FORMAT, self.batch, TIME, TIME, tables, self.lake)
        self.put(self.pipeline.processed, listing_key(self.batch), listing.to_json())

    def _write(self, table, rows, before):
        if table.name not in STAR_TABLES:
            file = self._file(table, [(*row, self.batch) for row in rows])
            self.files[table.name] = [file]
            return replace(before, snapshot_id="1", files=(file,), inserted=len(rows))
        position = table.column_names.index(table.key) - bool(table.record_id)
        keys = [row[position] for row in rows]
        current = self.current[table.name]
        new = [number(key) for key in keys if key not in current]
        current.update(keys)
        first = before.last_record_id + 1
        if table.record_id:
            rows = [(first + i, *row) for i, row in enumerate(rows)]
        mine = [(*row, self.batch) for row in rows]
        others = []
        if table.kind is not Kind.FACT:  # rewritten whole: rows of earlier batches are among the new ones
            kept = self.dimensions[table.name]
            for key in keys:
                kept.pop(key, None)
            others = list(kept.values())
            kept.update(zip(keys, mine, strict=True))
            self.files[table.name] = []
        file = self._file(table, [*others, *mine])
        self.files[table.name].append(file)
        numbers = [number(key) for key in keys]
        is_empty = before.highest_key < before.lowest_key
        return replace(
            before,
            snapshot_id="1",
            files=(file,),
            inserted=len(new),
            updated=len(rows) - len(new),
            first_record_id=first if table.record_id else 0,
            last_record_id=first + len(rows) - 1 if table.record_id else 0,
            current_keys=before.current_keys + len(new),
            key_checksum=before.key_checksum + sum(map(mix, new)),
            lowest_key=min(numbers if is_empty else [before.lowest_key, *numbers]),
            highest_key=max(numbers if is_empty else [before.highest_key, *numbers]),
        )

    def _delete(self, tables, deleted):
        rows = []
        for source, keys in deleted.items():
            for name, table in STAR_TABLES.items():
                if table.source != source:
                    continue
                self.current[name] -= set(keys)
                tables[name] = replace(
                    tables[name],
                    deleted=len(keys),
                    current_keys=tables[name].current_keys - len(keys),
                    key_checksum=tables[name].key_checksum - sum(map(mix, keys)),
                )
            rows += [(source, key, TIME[:26]) for key in keys]
        moments = [
            (source, key, pa.scalar(moment).cast(pa.timestamp("us")), self.batch) for source, key, moment in rows
        ]
        file = self._file(SOURCE_DELETION, [(s, k, m.as_py(), b) for s, k, m, b in moments])
        self.files[SOURCE_DELETION.name].append(file)
        tables[SOURCE_DELETION.name] = replace(
            tables[SOURCE_DELETION.name], snapshot_id="1", files=(file,), inserted=len(rows)
        )

    def _file(self, table, rows):
        fields = [pa.field(c.name, ARROW[c.type.spark]) for c in table.columns] + [pa.field("batch_id", pa.int32())]
        columns = list(zip(*rows, strict=True)) or [()] * len(fields)
        arrays = [pa.array(column, f.type) for column, f in zip(columns, fields, strict=True)]
        sink = io.BytesIO()
        pq.write_table(pa.table(arrays, schema=pa.schema(fields)), sink, row_group_size=self.row_group_size)
        key = f"star/{table.name}/data/{self.batch}.parquet"
        self.put(self.pipeline.processed, key, sink.getvalue())
        return DataFile(key, len(sink.getvalue()), len(rows))
