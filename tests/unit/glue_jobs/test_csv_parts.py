"""Parts without Spark: every value in every place, however the bytes are cut; damage; nothing of a record in an error."""

import gzip
import hashlib
import io
import traceback

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import StorageError
from contracts.protocol.manifest import Part
from glue_jobs.errors import IngestionDamagedError
from glue_jobs.staging import csv_parts
from glue_jobs.staging.csv_parts import NUMBER, Reading, on_executor, record_batches

NASTY = ["", " ", '"', '""', ",", "\n", "\r", "\r\n", "\\N", "\\.", "NULL", "\ufeff", "\u2028", "é", "😀", "x" * 40]
VALUE = st.one_of(
    st.none(),
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=6),
    st.lists(st.sampled_from(NASTY), max_size=4).map("".join),
)
SECRET = "ann.o-keefe@personal.example"


class FakeS3:
    """One object; how often it was fetched, and what goes wrong with it."""

    def __init__(self, body, *, fail_at=None, code=None):
        self.body, self.fail_at, self.code, self.fetched = body, fail_at, code, 0

    def get_object(self, Bucket, Key):
        self.fetched += 1
        if self.code:
            raise ClientError({"Error": {"Code": self.code, "Message": SECRET}}, "GetObject")
        return {"Body": self if self.fail_at is not None else io.BytesIO(self.body)}

    def read(self, size):
        raise ReadTimeoutError(endpoint_url=SECRET)


def field(value):
    """Write a value as COPY does."""
    if value is None:
        return ""
    is_quoted = value in ("", "\\.") or any(character in value for character in '",\r\n')
    return '"' + value.replace('"', '""') + '"' if is_quoted else value


def written(columns, rows):
    return "".join(",".join(map(field, row)) + "\n" for row in [columns, *rows]).encode()


def part(body, rows, key="staff/00000007-a-0001.csv"):
    return Part(key, len(body), rows, hashlib.sha256(body).hexdigest())


def reading(columns, **options):
    return Reading(7, "staff", "ingestion", tuple(columns), **options)


def read(body, columns, rows, key="staff/00000007-a-0001.csv"):
    batches = list(record_batches(FakeS3(body), reading(columns), part(body, rows, key)))
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


@settings(max_examples=300, deadline=None)
@given(
    rows=st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[VALUE] * width), min_size=1, max_size=6)),
    piece=st.integers(1, 60),
    is_packed=st.booleans(),
)
def test_g8_every_text_survives_in_every_place_however_the_part_is_cut(rows, piece, is_packed):
    columns = ["first", "second,", 'th"ird', "four\nth"][: len(rows[0])]
    body = written(columns, rows)
    key = "staff/00000007-a-0001.csv"
    if is_packed:
        body, key = gzip.compress(body), key + ".gz"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_parts, "PIECE_BYTES", piece)
        assert read(body, columns, len(rows), key) == rows


def test_g9_a_part_is_fetched_once_and_parsed_a_piece_at_a_time(monkeypatch):
    monkeypatch.setattr(csv_parts, "PIECE_BYTES", 1000)
    rows = [(str(n), "a\nb") for n in range(1000)]
    body = written(["key", "text"], rows)
    s3 = FakeS3(body)
    batches = list(record_batches(s3, reading(["key", "text"]), part(body, len(rows))))
    assert s3.fetched == 1
    assert len(batches) > 8 and max(batch.nbytes for batch in batches) < 4000


def test_g4_rows_carry_the_number_of_the_manifest_that_names_their_part():
    body = written(["key"], [("1",), ("2",)])
    client = FakeS3(body)
    (batch,) = record_batches(client, reading(["key"], is_numbered=True), part(body, 2))
    assert batch.column(NUMBER).to_pylist() == [7, 7]


def test_g9_an_executor_reads_the_groups_that_it_is_given(monkeypatch):
    import pyarrow as pa

    body = written(["key"], [("1",)])
    client = FakeS3(body)
    monkeypatch.setattr(csv_parts, "_client", lambda: client)
    groups = ((part(body, 1),), (part(body, 1), part(body, 1)))
    numbers = pa.RecordBatch.from_pydict({"id": [1]})
    assert len(list(on_executor(reading(["key"]), groups, iter([numbers])))) == client.fetched == 2


COLUMNS = ["staff_id", "email_address", "last"]
ROWS = [("1", SECRET, None), ("2", "b@x", "")]
BODY = written(COLUMNS, ROWS)


def assert_refused(client, expected, match, error=IngestionDamagedError):
    with pytest.raises(error, match=match) as raised:
        list(record_batches(client, reading(COLUMNS), expected))
    chain = "".join(traceback.format_exception(raised.value))
    assert SECRET not in chain and "ann." not in chain and expected.key in str(raised.value)
    assert "Batch 7, table staff" in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (BODY.replace(b"ann", b"bob"), "SHA-256 is not the manifest's"),
        (BODY.replace(b",", b";"), "SHA-256 is not the manifest's"),
        (BODY.replace(b"1,", b"1;", 1), "SHA-256 is not the manifest's"),
        (BODY[:-4], f"has {len(BODY) - 4} bytes, the manifest says {len(BODY)}"),
        (BODY[:20], "has 20 bytes"),
        (b"", "has 0 bytes"),
        (BODY + BODY, "bytes, the manifest says"),
    ],
)
def test_g5_a_part_that_is_not_what_was_written_is_refused(body, match):
    assert_refused(FakeS3(body), part(BODY, 2), match)


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (b"", "ends within a row"),
        (BODY[:20], "ends within a row"),
        (BODY[:-1], "ends within a row"),
        (BODY.replace(b"staff_id", b"payment_"), "other columns in its header"),
        (BODY.replace(b"last", b"last,more"), "other columns in its header"),
        (BODY.replace(b"1,", b"1,more,"), "does not read as CSV with 3 columns"),
        (BODY.replace(b"1,", b"1;"), "does not read as CSV with 3 columns"),
        (BODY.replace(b"ann", b"\xff"), "does not read as CSV with 3 columns"),
        (BODY.replace(b"ann", b'ann"'), "does not read as CSV|holds 1 rows|ends within a row"),
        (BODY + b"\n", "holds 3 rows|does not read"),
        (BODY + b"3,,\n", "holds 3 rows, the manifest says 2"),
        (BODY.replace(b"ann", b"\rann"), "does not read as CSV with 3 columns"),
    ],
)
def test_g5_a_part_that_was_written_wrongly_is_refused(body, match):
    """Its digest is right: how it reads and how many rows it has is all that can tell."""
    assert_refused(FakeS3(body), part(body, 2), f"({match}).*it was written so")


@pytest.mark.parametrize("cut", [1, 9, 12, 30, -9, -1])
def test_g5_a_truncated_gzip_part_is_refused(cut):
    packed = gzip.compress(BODY)
    key = "staff/00000007-a-0001.csv.gz"
    assert_refused(FakeS3(packed[:cut]), part(packed, 2, key), "bytes, the manifest says")
    assert_refused(FakeS3(packed[:cut]), part(packed[:cut], 2, key), "ends before its end|does not read as gzip")


def test_g5_a_gzip_part_with_something_behind_it_is_refused():
    packed = gzip.compress(BODY) + gzip.compress(b"3,,\n")
    assert_refused(FakeS3(packed), part(packed, 2, "staff/00000007-a-0001.csv.gz"), "goes on behind its end")


def test_g3_a_part_that_is_missing_or_cannot_be_read_is_told(monkeypatch):
    assert_refused(FakeS3(BODY, code="NoSuchKey"), part(BODY, 2), "is missing")
    assert_refused(FakeS3(BODY, code="SlowDown"), part(BODY, 2), "cannot be read from bucket ingestion", StorageError)
    assert_refused(FakeS3(BODY, fail_at=0), part(BODY, 2), "ReadTimeoutError", StorageError)
