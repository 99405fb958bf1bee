"""Documents of the batch protocol as they look in production."""

from datetime import datetime

from contracts.protocol.manifest import Manifest, Part, Shape, SourceIdentity, TableExtract, Witness
from contracts.protocol.publication import DataFile, Publication, TablePublication
from contracts.release import FORMAT
from contracts.tables.lake import LAKE_TABLES
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.star import modelled
from lambdas.extract.shapes import ColumnFound, Relation
from lambdas.extract.snapshot import Position

LAKE = "0123456789abcdef0123456789abcdef"
TIME = "2026-11-20T09:00:00.123456+00:00"
SOURCE = SourceIdentity(system_identifier="7412345678901234567", timeline=1, database_oid=16384)


def part(table: str = "sales_order", rows: int = 3, sha256: str = "ab") -> Part:
    return Part(key=f"{table}/extracted_date=2026-11-20/1.csv", bytes=100, rows=rows, sha256=sha256)


def extract(table: str, *, read: str = "whole", rows: int = 3, sha256: str = "ab") -> TableExtract:
    parts = (part(table, rows, sha256),) if rows else ()
    return TableExtract(
        read=read,
        columns=SOURCE_TABLES[table].column_names,
        parts=parts,
        rows=rows,
        key_parts=None,
        source_count=3,
        source_key_checksum=42,
        shape=shape(table),
        witness=Witness(since=990, rows=((3, 995), (2, 991))),
        modelled=modelled(table),
    )


def shape(table: str, relation: int = 16500) -> Shape:
    columns = SOURCE_TABLES[table].columns
    return Shape(relation, tuple(f"{n} {c.name} {c.type.source[0]}" for n, c in enumerate(columns, 1)), ())


#: Tables as the source's catalog describes them.
SCHEMA = {
    table.name: Relation(
        shape(table.name), {c.name: ColumnFound(c.name, c.type.source[0], c.name == table.key) for c in table.columns}
    )
    for table in SOURCE_TABLES.values()
}


def position(
    horizon: int = 1001, next_xid: int = 1001, identity: SourceIdentity = SOURCE, started: str = TIME
) -> Position:
    return Position(identity, horizon, next_xid, datetime.fromisoformat(TIME), started, "UTC", 4711)


def manifest(batch: int, *, reason: str = "first batch", horizon: int = 1000, **tables: TableExtract) -> Manifest:
    return Manifest(
        format=FORMAT,
        batch=batch,
        previous=batch - 1 or None,
        first=batch,
        unfinished=None,
        reason=reason,
        source=SOURCE,
        horizon=horizon,
        snapshot_time=TIME,
        tables={name: tables.get(name) or extract(name) for name in SOURCE_TABLES},
        lake=LAKE,
        extracted_at=TIME,
        server_started=TIME,
        time_zone="UTC",
    )


def table_publication(
    *, inserted: int = 3, updated: int = 0, current_keys: int = 3, key_checksum: int = 42
) -> TablePublication:
    return TablePublication(
        snapshot_id="123",
        files=(DataFile(key="star/t/data/1.parquet", bytes=10, rows=inserted + updated),),
        inserted=inserted,
        updated=updated,
        deleted=0,
        quarantined=0,
        absent_keys=0,
        absent_checksum=0,
        first_record_id=1,
        last_record_id=inserted + updated,
        current_keys=current_keys,
        key_checksum=key_checksum,
        lowest_key=1,
        highest_key=current_keys,
        surplus=0,
    )


def publication(batch: int, **tables: TablePublication) -> Publication:
    return Publication(
        format=FORMAT,
        batch=batch,
        first=batch,
        snapshot_time=TIME,
        published_at=TIME,
        tables={name: tables.get(name) or table_publication() for name in LAKE_TABLES},
        lake=LAKE,
        manifest="cd" * 32,
        extracted_at=TIME,
        time_zone="UTC",
        calendar=((1, 3),),
    )
