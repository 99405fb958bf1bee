"""Gateway for bytes: COPY rows become immutable CSV objects, streamed by multipart upload.

Chunks hold whole rows, so a part always ends where a row ends. Memory is a few buffers of 5 MiB, whatever the size of the table.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from isal import isal_zlib

from contracts.errors import StorageError
from contracts.protocol.manifest import Part
from lambdas.extract.copying import Chunk

#: Bytes of CSV that are packed at a time.
PACK_BYTES = 2**20
#: Bytes of body that are sent at a time: the least that S3 takes.
SEND_BYTES = 5 * 2**20
#: As small as zlib makes it at its fastest, in a third of the time.
GZIP_LEVEL = 1


def write_parts(
    client: Any,
    bucket: str,
    chunks: Iterable[Chunk],
    key: Callable[[int], str],
    part_bytes: int,
    *,
    compress: bool = False,
) -> tuple[Part, ...]:
    """Write the CSV in `chunks` as parts of about `part_bytes`, each with the header.

    Parameters
    ----------
    client
        A boto3 S3 client.
    chunks
        The header, then whole rows. No row → no object.
    key
        Gives the key of part 1, 2, 3 …
    part_bytes
        Bytes of CSV after which a part is closed.
    compress
        Whether parts are gzip files.

    Raises
    ------
    StorageError
        When S3 fails. Parts already written are garbage that no manifest names.
    """
    rows = iter(chunks)
    header = next(rows, Chunk(b"", 0)).data
    parts: list[Part] = []
    upload: _Upload | None = None
    try:
        for data, count, *_ in rows:
            if upload is None:
                upload = _Upload(client, bucket, key(len(parts) + 1), header, compress=compress)
            upload.write(data, count)
            if upload.csv_bytes >= part_bytes:
                parts.append(upload.close())
                upload = None
        if upload is not None:
            parts.append(upload.close())
    except (ClientError, BotoCoreError) as error:
        raise StorageError(
            f"Writing to bucket {bucket} failed: {type(error).__name__} {error}. No batch was committed; the next run reads again."
        ) from None
    finally:
        if upload is not None:
            upload.abort()
    return tuple(parts)


class _Upload:
    """One object: a plain put when it is small, a multipart upload when it is not."""

    def __init__(self, client: Any, bucket: str, key: str, header: bytes, *, compress: bool) -> None:
        self._client = client
        self._target = {"Bucket": bucket, "Key": key}
        self._gzip = isal_zlib.compressobj(GZIP_LEVEL, wbits=isal_zlib.MAX_WBITS | 16) if compress else None
        self._type = "application/gzip" if compress else "text/csv"
        self._csv = bytearray(header)  # not compressed yet
        self._body = bytearray()  # to be sent
        self._digest = hashlib.sha256()
        self._sent = 0
        self._rows = 0
        self.csv_bytes = len(header)
        self._upload_id: str | None = None
        self._etags: list[dict[str, Any]] = []

    def write(self, data: bytes, rows: int) -> None:
        self._csv += data
        self._rows += rows
        self.csv_bytes += len(data)
        if len(self._csv) >= PACK_BYTES:
            self._pack()
            if len(self._body) >= SEND_BYTES:
                self._send()

    def close(self) -> Part:
        self._pack()
        if self._gzip:
            self._body += self._gzip.flush()
        if self._upload_id is None:
            self._take()
            self._client.put_object(**self._target, Body=self._body, ContentType=self._type)
        else:
            if self._body:
                self._send()
            self._client.complete_multipart_upload(
                **self._target, UploadId=self._upload_id, MultipartUpload={"Parts": self._etags}
            )
            self._upload_id = None
        return Part(key=self._target["Key"], bytes=self._sent, rows=self._rows, sha256=self._digest.hexdigest())

    def abort(self) -> None:
        """Give up an unfinished upload; if that fails too, the bucket's lifecycle rule does it."""
        if self._upload_id is not None:
            try:
                self._client.abort_multipart_upload(**self._target, UploadId=self._upload_id)
            except (ClientError, BotoCoreError):
                return

    def _pack(self) -> None:
        """Move the CSV to the body, compressed if it is to be."""
        if self._gzip:
            self._body += self._gzip.compress(self._csv)
        elif self._body:
            self._body += self._csv
        else:
            self._body = self._csv
        self._csv = bytearray()

    def _take(self) -> None:
        self._digest.update(self._body)
        self._sent += len(self._body)

    def _send(self) -> None:
        if self._upload_id is None:
            answer = self._client.create_multipart_upload(**self._target, ContentType=self._type)
            self._upload_id = answer["UploadId"]
        number = len(self._etags) + 1
        self._take()
        answer = self._client.upload_part(**self._target, UploadId=self._upload_id, PartNumber=number, Body=self._body)
        self._etags.append({"PartNumber": number, "ETag": answer["ETag"]})
        self._body = bytearray()
