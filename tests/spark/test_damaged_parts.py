"""Parts that are not what was written: told by name, nothing published, nothing of their content shown; on both paths."""

import gzip
import hashlib
import json
import traceback

import pytest

from contracts.protocol.bucket import Bucket
from contracts.protocol.manifest import Manifest, Part
from contracts.protocol.object_layout import manifest_key
from glue_jobs.errors import IngestionDamagedError
from glue_jobs.spark_errors import SPARK_ERRORS, explained
from glue_jobs.staging import frames
from glue_jobs.staging.parts import read_raw

MAIL = "ann.o-keefe@personal.example"


@pytest.fixture(params=["driver", "executors"])
def path(request, monkeypatch):
    """Where the parts are read."""
    if request.param == "executors":
        monkeypatch.setattr(frames, "HERE_ROWS", -1)
    return request.param


class StaffPart:
    """The staff part of a first batch, and its entry in the manifest."""

    def __init__(self, pipeline):
        with pipeline.source() as connection:
            connection.execute("update staff set email_address = %s where staff_id = 1", (MAIL,))
        pipeline.extract()
        self.pipeline = pipeline
        self.manifest = pipeline.document(pipeline.ingestion, manifest_key(1))
        (self.entry,) = self.manifest["tables"]["staff"]["parts"]
        self.key = self.entry["key"]
        self.body = pipeline.s3.get_object(Bucket=pipeline.ingestion, Key=self.key)["Body"].read()
        assert self.body.count(MAIL.encode()) == 1

    def put(self, body):
        self.pipeline.s3.put_object(Bucket=self.pipeline.ingestion, Key=self.key, Body=body)

    def describe(self, body, **changes):
        """Let the manifest say of the part that it is `body`."""
        self.entry |= {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), **changes}
        self.manifest["tables"]["staff"]["rows"] = self.entry["rows"]
        self.pipeline.s3.put_object(
            Bucket=self.pipeline.ingestion, Key=manifest_key(1), Body=json.dumps(self.manifest).encode()
        )

    def pack(self):
        """Store the part as the extraction does when it compresses."""
        self.key = self.entry["key"] = self.key + ".gz"
        self.body = gzip.compress(self.body)
        self.put(self.body)
        self.describe(self.body)

    def read(self, spark):
        """Read the table as the job reads it."""
        manifest = Manifest.from_json(json.dumps(self.manifest).encode(), manifest_key(1))
        try:
            return read_raw(spark, Bucket(self.pipeline.s3, self.pipeline.ingestion), manifest, "staff").collect()
        except SPARK_ERRORS as error:
            raise explained(error, "dim_staff") from None

    def refused(self, run, capfd, match):
        """Do what reads the part: it must be refused and named, and nothing of it may be shown."""
        with pytest.raises(IngestionDamagedError, match=match) as raised:
            run()
        message = str(raised.value)
        assert "Batch 1, table staff: part " + self.key in message and "\n" not in message
        shown = capfd.readouterr()
        chain = "".join(traceback.format_exception(raised.value))
        for value in (MAIL, "ann.o-keefe", "first_name,"):
            assert value not in chain + shown.out + shown.err
        assert self.pipeline.keys(self.pipeline.processed, "publications/") == []


def _with_row(body, change):
    rows = body.split(b"\n")
    number = next(n for n, row in enumerate(rows) if MAIL.encode() in row)
    rows[number] = change(rows[number])
    return b"\n".join(rows)


def test_g8_a_part_of_the_same_size_with_another_value_is_refused(pipeline, spark, capfd, path):
    part = StaffPart(pipeline)
    part.put(part.body.replace(MAIL.encode(), MAIL.swapcase().encode()))
    part.refused(lambda: pipeline.transform(spark), capfd, "its SHA-256 is not the manifest's")
    part.put(part.body)
    pipeline.transform(spark)
    pipeline.load()
    pipeline.assert_equal()


def test_g12_a_malformed_record_of_a_damaged_part_is_not_shown(pipeline, spark, capfd, path):
    part = StaffPart(pipeline)
    part.put(_with_row(part.body, lambda row: row.replace(b",", b";", 1)))
    part.refused(lambda: pipeline.transform(spark), capfd, "its SHA-256 is not the manifest's")


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda body: _with_row(body, lambda row: row + b",more"), "does not read as CSV with"),
        (
            lambda body: _with_row(body, lambda row: row.replace(MAIL.encode(), b'"' + MAIL.encode())),
            "ends within a row",
        ),
        (
            lambda body: _with_row(body, lambda row: row.replace(MAIL.encode(), b"\xff" + MAIL.encode())),
            "does not read",
        ),
        (lambda body: body.replace(b"first_name", b"last_name_", 1), "other columns in its header"),
        (lambda body: b"extra," + body.replace(b"\n", b"\n1,"), "other columns in its header"),
        (lambda body: _with_row(body, lambda row: row + b"\n" + row), "holds 21 rows, the manifest says 20"),
        (lambda body: body + b"\n\n", "holds 22 rows, the manifest says 20"),
    ],
    ids=["more fields", "open quote", "no UTF-8", "another name", "an extra column", "a row too many", "empty lines"],
)
def test_g5_a_part_that_was_written_wrongly_is_refused_and_not_shown(pipeline, spark, capfd, path, damage, match):
    """The digest is right, so only how the part reads can tell."""
    part = StaffPart(pipeline)
    body = damage(part.body)
    part.put(body)
    part.describe(body)
    part.refused(lambda: part.read(spark), capfd, match + ".*it was written so")


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda body: body[:-30], "does not read as gzip|ends before its end"),
        (lambda body: body[:40] + bytes([body[40] ^ 255]) + body[41:], "does not read as gzip"),
        (lambda body: body + gzip.compress(b"1,2,3\n"), "goes on behind its end"),
    ],
    ids=["truncated", "a byte is another", "two files in one"],
)
def test_g5_a_damaged_gzip_part_is_refused(pipeline, spark, capfd, path, damage, match):
    part = StaffPart(pipeline)
    part.pack()
    body = damage(part.body)
    part.put(body)
    part.describe(body)
    part.refused(lambda: part.read(spark), capfd, match)


def test_g8_a_gzip_part_is_read_as_it_was_written(pipeline, spark, path):
    part = StaffPart(pipeline)
    plain = sorted(part.read(spark))
    part.pack()
    assert sorted(part.read(spark)) == plain and len(plain) == part.entry["rows"]


def test_g3_a_part_that_vanishes_after_it_was_looked_at_is_told(pipeline, spark, capfd, path):
    part = StaffPart(pipeline)
    pipeline.s3.delete_object(Bucket=pipeline.ingestion, Key=part.key)
    part.refused(lambda: part.read(spark), capfd, "is missing")


def test_g8_a_value_longer_than_what_is_parsed_at_a_time_survives(pipeline, spark, path):
    long = 'é"\n,' * 1_500_000  # some 7 MiB of CSV
    with pipeline.source() as connection:
        connection.execute("update design set file_name = %s where design_id = 1", (long,))
    pipeline.run(spark)
    assert pipeline.warehouse("select file_name from dim_design where design_id = 1") == [(long,)]
    pipeline.assert_equal()


def test_g12_an_error_of_spark_shows_no_data(pipeline, spark, capfd, monkeypatch):
    """What fails inside Spark quotes the value that it fails at."""
    from glue_jobs import batch_run
    from glue_jobs.errors import TransformError

    StaffPart(pipeline)
    plain = batch_run.raw_rows

    def failing(batch, table):
        rows = plain(batch, table)
        if table.source != "staff":
            return rows
        return rows.where("assert_true(email_address not like 'ann%', concat('\"', email_address, '\"')) is null")

    monkeypatch.setattr(batch_run, "raw_rows", failing)
    with pytest.raises(TransformError, match=r"Table dim_staff: .*Nothing was published") as raised:
        pipeline.transform(spark)
    assert MAIL not in "".join(traceback.format_exception(raised.value))


def test_g9_few_rows_need_no_python_worker_and_a_fact_is_fetched_once(pipeline, spark, monkeypatch):
    """A worker takes as long to start as a small batch takes to read."""
    fetched, plans = [], []
    plain_read, plain_frame = frames.record_batches, frames.frame

    def read(client, reading, part):
        fetched.append(reading.table)
        return plain_read(client, reading, part)

    def frame(*arguments):
        found = plain_frame(*arguments)
        plans.append(found._jdf.queryExecution().toString())
        return found

    monkeypatch.setattr(frames, "record_batches", read)
    monkeypatch.setattr("glue_jobs.staging.parts.frame", frame)
    pipeline.extract()
    pipeline.transform(spark)
    assert {fetched.count(name) for name in ("sales_order", "purchase_order", "payment", "transaction")} == {1}
    assert plans and not any("MapInArrow" in plan or "Python" in plan for plan in plans)
    monkeypatch.setattr(frames, "HERE_ROWS", -1)
    bucket = Bucket(pipeline.s3, pipeline.ingestion)
    manifest = Manifest.from_json(bucket.get(manifest_key(1)), manifest_key(1))
    read_raw(spark, bucket, manifest, "staff")
    assert "MapInArrow" in plans[-1]


def test_g9_small_parts_share_a_partition_and_large_ones_have_their_own():
    sizes = [64, 1, 1, 1, 66, 2]
    parts = [Part(f"{n}", size * 2**20, 1, "") for n, size in enumerate(sizes)]
    groups = frames._packed(parts, 2)
    assert [[part.key for part in group] for group in groups] == [["4"], ["0", "5", "1"], ["2", "3"]]
    assert len(frames._packed([Part(str(n), 10, 1, "") for n in range(1000)], 8)) == 32
