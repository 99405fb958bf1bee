"""A lake of nobody's rows: where the job works without a source, to practise, to tell which classes it needs, and in benchmarks."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from contracts.checksum import mix
from contracts.protocol.bucket import Bucket
from contracts.protocol.catalog import location
from contracts.protocol.manifest import Manifest, Part, SourceIdentity, TableExtract
from contracts.protocol.object_layout import manifest_key
from contracts.release import FORMAT
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.table import Column, SourceTable
from contracts.tables.types import BOOLEAN, CURRENCY_CODE, INTEGER, ISO_DATE, MONEY, TIMESTAMP

_SAMPLES = {INTEGER: "1", MONEY: "1.50", BOOLEAN: "t", CURRENCY_CODE: "GBP"}
#: Over how many days rows are spread, from when on.
_DAYS, _FIRST_DAY = 700, date(2024, 1, 1)


@dataclass(frozen=True, slots=True)
class LakeNames:
    """The buckets and the database that a run of the job works with."""

    ingestion: str
    processed: str
    database: str

    @property
    def arguments(self) -> list[str]:
        """The job's arguments."""
        return [
            "--ingestion_bucket",
            self.ingestion,
            "--processed_bucket",
            self.processed,
            "--database",
            self.database,
        ]


def create_lake(s3: Any, glue: Any, names: LakeNames) -> None:
    """Create the buckets and the database of an empty lake, with boto3 clients."""
    for bucket in (names.ingestion, names.processed):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    glue.create_database(DatabaseInput={"Name": names.database, "LocationUri": location(names.processed)})


def put_batch(ingestion: Bucket, batch: int, keys: Mapping[str, Sequence[int]], counts: Mapping[str, int]) -> None:
    """Commit a batch of made-up rows that are as the contracts want them.

    Parameters
    ----------
    keys
        Source table → keys of the rows that have changed; tables without any are left out.
    counts
        Source table → how many rows it has now, with the keys from 1 on.
    """
    extracts = {}
    for name, table in SOURCE_TABLES.items():
        parts = _put_part(ingestion, batch, table, keys[name]) if name in keys else ()
        checksum = sum(map(mix, range(1, counts[name] + 1)))
        extracts[name] = extract_of(table, batch, parts, counts[name], checksum)
    put_manifest(ingestion, batch, extracts)


def extract_of(table: SourceTable, batch: int, parts: tuple[Part, ...], count: int, checksum: int) -> TableExtract:
    """Return what a batch holds of a table: everything, when it is the first one, or what has changed.

    Parameters
    ----------
    count, checksum
        How many keys the table has now, and their checksum.
    """
    return TableExtract(
        read="whole" if batch == 1 else "changed" if parts else "nothing",
        columns=table.column_names,
        parts=parts,
        rows=sum(part.rows for part in parts),
        key_parts=None,
        source_count=count,
        source_key_checksum=checksum,
    )


def put_manifest(ingestion: Bucket, batch: int, tables: Mapping[str, TableExtract]) -> None:
    """Commit a batch whose parts are in the ingestion bucket."""
    manifest = Manifest(
        format=FORMAT,
        batch=batch,
        previous=batch - 1 or None,
        first=batch,
        unfinished=None,
        reason="",
        source=SourceIdentity("1", 1, 1),
        horizon=batch,
        snapshot_time=datetime.now(UTC).isoformat(timespec="microseconds"),
        tables=dict(tables),
    )
    ingestion.put_once(manifest_key(batch), manifest.to_json())


def _put_part(ingestion: Bucket, batch: int, table: SourceTable, keys: Sequence[int]) -> tuple[Part, ...]:
    rows = (",".join(_value(table, column, key, batch) for column in table.columns) for key in keys)
    content = "".join(f"{row}\n" for row in (",".join(table.column_names), *rows)).encode()
    part = Part(f"{table.name}/{batch}.csv", len(content), len(keys), hashlib.sha256(content).hexdigest())
    ingestion.put(part.key, content)
    return (part,)


def _value(table: SourceTable, column: Column, key: int, batch: int) -> str:
    if column.name == table.key:
        return str(key)
    if column.type in (ISO_DATE, TIMESTAMP):
        day = _FIRST_DAY + timedelta(key % _DAYS)
        return str(day) if column.type == ISO_DATE else f"{day} 10:00:00.{key % 1000:03}"
    return _SAMPLES.get(column.type, f"text {batch}")
