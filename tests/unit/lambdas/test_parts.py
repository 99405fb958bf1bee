"""CSV parts: cut at rows, counted, hashed, and never left half done."""

import gzip
import hashlib

import pytest
from botocore.exceptions import ClientError

from contracts.errors import StorageError
from lambdas.extract import parts as parts_module
from lambdas.extract.copying import Chunk
from lambdas.extract.parts import write_parts


class FakeS3:
    def __init__(self, fail_on=None):
        self.objects, self.uploads, self.aborted, self.fail_on = {}, {}, [], fail_on

    def _maybe_fail(self, operation):
        if operation == self.fail_on:
            raise ClientError({"Error": {"Code": "SlowDown", "Message": "no"}}, operation)

    def put_object(self, Bucket, Key, Body, ContentType):
        self._maybe_fail("put_object")
        self.objects[Key] = Body

    def create_multipart_upload(self, Bucket, Key, ContentType):
        self.uploads[Key] = []
        return {"UploadId": Key}

    def upload_part(self, Bucket, Key, UploadId, PartNumber, Body):
        self._maybe_fail("upload_part" if PartNumber > 1 else "")
        self.uploads[Key].append(Body)
        return {"ETag": str(PartNumber)}

    def complete_multipart_upload(self, Bucket, Key, UploadId, MultipartUpload):
        self._maybe_fail("complete")
        assert [p["PartNumber"] for p in MultipartUpload["Parts"]] == list(range(1, len(self.uploads[Key]) + 1))
        self.objects[Key] = b"".join(self.uploads.pop(Key))

    def abort_multipart_upload(self, Bucket, Key, UploadId):
        self.aborted.append(Key)
        self._maybe_fail("abort")


HEADER = b"id,name\n"


def _small_buffers(monkeypatch, size):
    monkeypatch.setattr(parts_module, "PACK_BYTES", size)
    monkeypatch.setattr(parts_module, "SEND_BYTES", size)


def _chunks(rows):
    return [Chunk(HEADER, 0), *(Chunk(row, 1) for row in rows)]


def _write(s3, rows, part_bytes=10**9):
    return write_parts(s3, "b", _chunks(rows), lambda n: f"t/{n}.csv", part_bytes)


def test_no_row_makes_no_object():
    s3 = FakeS3()
    assert _write(s3, []) == () and write_parts(s3, "b", [], str, 10) == () and s3.objects == {}


def test_a_small_table_is_one_plain_object():
    s3 = FakeS3()
    (part,) = _write(s3, [b"1,a\n", b"2,b\n"])
    assert s3.objects["t/1.csv"] == HEADER + b"1,a\n2,b\n"
    assert (part.rows, part.bytes) == (2, 16)
    assert part.sha256 == hashlib.sha256(s3.objects["t/1.csv"]).hexdigest()


def test_parts_end_where_rows_end_and_each_has_the_header():
    s3 = FakeS3()
    rows = [b'%d,"x\ny"\n' % n for n in range(10)]
    written = _write(s3, rows, part_bytes=30)
    assert len(written) == 4 and [p.rows for p in written] == [3, 3, 3, 1]
    assert b"".join(s3.objects[p.key].removeprefix(HEADER) for p in written) == b"".join(rows)


@pytest.mark.parametrize("rows", [25, 30])
def test_g9_a_large_part_is_uploaded_in_pieces(monkeypatch, rows):
    _small_buffers(monkeypatch, 40)
    s3 = FakeS3()
    (part,) = _write(s3, [b"123,abc\n"] * rows)
    body = HEADER + b"123,abc\n" * rows
    assert s3.objects["t/1.csv"] == body and part.bytes == len(body) and part.rows == rows
    assert part.sha256 == hashlib.sha256(body).hexdigest() and s3.aborted == []


@pytest.mark.parametrize("operation", ["put_object", "upload_part", "complete"])
def test_g3_a_failure_is_told_and_leaves_no_unfinished_upload(monkeypatch, operation):
    if operation != "put_object":
        _small_buffers(monkeypatch, 40)
    s3 = FakeS3(fail_on=operation)
    with pytest.raises(StorageError, match="No batch was committed"):
        _write(s3, [b"123,abc\n"] * (3 if operation == "put_object" else 30))
    assert s3.objects == {} and s3.aborted == ([] if operation == "put_object" else ["t/1.csv"])


def test_g3_an_error_of_the_source_aborts_the_upload_and_passes(monkeypatch):
    _small_buffers(monkeypatch, 40)
    s3 = FakeS3(fail_on="abort")

    def rows():
        yield Chunk(HEADER, 0)
        yield from [Chunk(b"123,abc\n", 1)] * 20
        raise RuntimeError("connection lost")

    with pytest.raises(RuntimeError, match="connection lost"):
        write_parts(s3, "b", rows(), lambda n: f"t/{n}.csv", 10**9)
    assert s3.aborted == ["t/1.csv"]


@pytest.mark.parametrize("rows", [3, 2000])
def test_g9_gzip_parts_hold_the_same_rows_and_equal_rows_are_equal_bytes(monkeypatch, rows):
    _small_buffers(monkeypatch, 400)
    lines = [b"%d,%s\n" % (n, hashlib.sha256(b"%d" % n).hexdigest().encode()) for n in range(rows)]
    stores = FakeS3(), FakeS3()
    written = [write_parts(s3, "b", _chunks(lines), lambda n: f"t/{n}.csv.gz", 50_000, compress=True) for s3 in stores]
    assert written[0] == written[1] and len(written[0]) == (1 if rows == 3 else 3)
    bodies = [stores[0].objects[part.key] for part in written[0]]
    assert [len(body) for body in bodies] == [part.bytes for part in written[0]]
    assert [hashlib.sha256(body).hexdigest() for body in bodies] == [part.sha256 for part in written[0]]
    assert b"".join(gzip.decompress(body).removeprefix(HEADER) for body in bodies) == b"".join(lines)
