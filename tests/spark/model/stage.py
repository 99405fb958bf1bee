"""Where a history takes place: buckets and a database, batches written as the extraction would write them, and the job."""

import csv
import hashlib
import io
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contracts.checksum import mix
from contracts.protocol.bucket import Bucket
from contracts.protocol.manifest import Manifest, Part, SourceIdentity, TableExtract, Unfinished
from contracts.protocol.object_layout import load_key, manifest_key
from contracts.protocol.progress import newest_publication_number, read_publication
from contracts.release import FORMAT
from contracts.tables.lake import LAKE_TABLES
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.table import Reading
from glue_jobs.lake.tables import Lake
from glue_jobs.transform import main
from local.servers.emulator_process import ACCOUNT, REGION

BEGIN = datetime(2026, 11, 20, 10, tzinfo=UTC)
LAKE = "0123456789abcdef0123456789abcdef"


class Stage:
    """Buckets, database and batches of one history."""

    def __init__(self, servers, spark):
        unique = uuid.uuid4().hex[:10]
        self.servers, self.spark, self.s3 = servers, spark, servers.client("s3")
        self.database = f"model_{unique}"
        for name in (f"in-{unique}", f"out-{unique}"):
            self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.ingestion, self.processed = Bucket(self.s3, f"in-{unique}"), Bucket(self.s3, f"out-{unique}")
        servers.client("glue").create_database(
            DatabaseInput={"Name": self.database, "LocationUri": f"s3://{self.processed.name}/star"}
        )
        self.lake = Lake(spark, self.database, self.processed.name)
        self.number = self.whole = 0
        self.time_zone = "Europe/London"
        #: By how much the source's clock is behind; a batch comes a second after the one before.
        self.set_back = timedelta()

    def commit(self, source, read, keys, *, is_full=False, is_last=True):
        """Write a manifest: `read` has, for each table that it holds, the keys of its rows.

        `is_last`: whether the batch ends with it, and does not wait for further manifests.
        """
        self.number += 1
        first = self.whole + 1
        keys = is_last and (keys or first < self.number)
        manifest = Manifest(
            format=FORMAT,
            batch=self.number,
            previous=self.number - 1 or None,
            first=first,
            unfinished=None if is_last else Unfinished(0, self.number, {"sales_order": None}),
            reason="",
            source=SourceIdentity("1", 1, 1),
            horizon=self.number,
            snapshot_time=(BEGIN + timedelta(seconds=self.number) - self.set_back).isoformat(timespec="microseconds"),
            tables={
                name: self._extract(table, source[name], read.get(name, ()), keys, is_full)
                for name, table in SOURCE_TABLES.items()
            },
            lake=LAKE,
            time_zone=self.time_zone,
        )
        self.whole = self.number if is_last else self.whole
        self.ingestion.put_once(manifest_key(self.number), manifest.to_json())
        return manifest

    def _extract(self, table, rows, read, keys, is_full):
        is_whole = is_full or (table.reading is Reading.WHOLE and bool(read))
        listed = [{table.key: str(key)} for key in sorted(rows)]
        held = [rows[key] for key in sorted(rows if is_full else read)]
        return TableExtract(
            read="whole" if is_whole else "changed" if held else "nothing",
            columns=table.column_names,
            parts=self._part(table.name, table.column_names, held),
            rows=len(held),
            key_parts=self._part(f"keys/{table.name}", (table.key,), listed) if keys else None,
            source_count=len(rows),
            source_key_checksum=sum(map(mix, rows)),
        )

    def _part(self, place, columns, rows):
        if not rows:
            return ()
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        body = text.getvalue().encode()
        key = f"{place}/extracted_date=2026-11-20/{self.number:08d}-model-0001.csv"
        self.ingestion.put(key, body)
        return (Part(key, len(body), len(rows), hashlib.sha256(body).hexdigest()),)

    def spoil(self, manifest, what):
        """Damage a batch that was committed: its `manifest`, the data `part`s of it, or the `checksum` of its payments."""
        key = manifest_key(manifest.batch)
        if what == "manifest":
            self.ingestion.put(key, b"{}")
        elif what == "part":
            parts = [part for extract in manifest.tables.values() for part in extract.parts]
            for part in parts:
                self.ingestion.put(part.key, self.ingestion.get(part.key)[:-1])
        if what == "checksum" or (what == "part" and not parts):
            payments = manifest.tables["payment"]
            payments = replace(payments, source_key_checksum=payments.source_key_checksum + 1)
            self.ingestion.put(key, replace(manifest, tables=manifest.tables | {"payment": payments}).to_json())

    def run(self, mode="transform"):
        arguments = ["--ingestion_bucket", self.ingestion.name, "--processed_bucket", self.processed.name]
        main([*arguments, "--database", self.database, "--mode", mode, "--keep_days", "0"])

    def published(self):
        """The newest publication, or None."""
        number = newest_publication_number(self.processed)
        return read_publication(self.processed, number) if number else None

    def confirm(self):
        """Note, as a load does, that the warehouse shows the newest publication."""
        if number := newest_publication_number(self.processed):
            self.processed.put(load_key(number), b"{}")

    def table(self, name):
        return self.lake.read(LAKE_TABLES[name]).collect()

    def file(self, key):
        """Path of an object of the processed bucket."""
        return self.servers.home.s3 / ACCOUNT / self.processed.name / key
