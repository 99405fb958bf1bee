"""What the emulator's S3 lacks: a full disk, ranges of large objects, and the end of a bucket.

It would accept an object that it cannot store; here it is refused, as a failing S3 would. For a range it would read the whole
object, and hand over at once what a reader, which asks for all up to the end and stops early, never takes. Such a reader closes the
connection: what nobody hears any more is neither read nor copied.
"""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

#: Kept free for everything else that the emulator and the databases write.
RESERVE_BYTES = 16 * 2**20
#: What is sent at a time.
CHUNK_BYTES = 256 * 2**10

_reading = threading.local()


def install() -> None:
    """Refuse objects for which there is no room; nothing of a refused object remains. Read ranges as ranges."""
    import ministack.app as app
    import ministack.services.s3 as service
    from hypercorn.protocol.http_stream import HTTPStream

    def guarded(plain: Callable[..., Any], size: Callable[..., int]) -> Callable[..., Any]:
        def handle(bucket: str, key: str, body: bytes, *arguments: Any, **named: Any) -> Any:
            free = shutil.disk_usage(service.DATA_DIR).free
            if free < RESERVE_BYTES + size(body, *arguments):
                message = f"The disk that holds the local S3 is full ({free // 2**20} MiB free). Free some space."
                return service._error("InsufficientStorage", message, 507)
            return plain(bucket, key, body, *arguments, **named)

        return handle

    def upload_size(body: bytes, query_params: dict[str, Any], *_: Any) -> int:
        del body
        upload = service._multipart_uploads.get(service._qp(query_params, "uploadId"), {})
        return sum(len(part.get("body") or b"") for part in upload.get("parts", {}).values())

    service._put_object = guarded(service._put_object, lambda body, *_: len(body))
    service._complete_multipart_upload = guarded(service._complete_multipart_upload, upload_size)
    service._delete_bucket = _forgetting(service._delete_bucket)
    service._get_object = _ranged(service._get_object)
    service._read_body = _lazy(service._read_body, service._object_disk_path)
    app._send_response = _chunked(app._send_response)
    stream: Any = HTTPStream
    stream.app_send = _unless_closed(stream.app_send)


def forget(bucket: str) -> None:
    """Remove the directory of a deleted bucket: after a restart the emulator would take what is left of it for a bucket."""
    import ministack.services.s3 as service

    shutil.rmtree(Path(service.DATA_DIR) / service.get_account_id() / bucket, ignore_errors=True)


def _forgetting(plain: Callable[..., Any]) -> Callable[..., Any]:
    def delete(bucket: str) -> Any:
        answer = plain(bucket)
        if answer[0] < 300:
            forget(bucket)
        return answer

    return delete


class _FileBody:
    """A part of an object on the disk, which is read when its bytes are asked for; the file may be replaced meanwhile."""

    def __init__(self, file: BinaryIO, start: int, stop: int) -> None:
        self._file, self._start, self._stop = file, start, stop

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, part: slice) -> "_FileBody":
        start, stop, _ = part.indices(len(self))
        return _FileBody(self._file, self._start + start, self._start + stop)

    def __bytes__(self) -> bytes:
        return os.pread(self._file.fileno(), len(self), self._start)


def _ranged(plain: Callable[..., Any]) -> Callable[..., Any]:
    def get(bucket: str, key: str, headers: dict[str, str], *arguments: Any, **named: Any) -> Any:
        _reading.is_ranged = "range" in headers
        try:
            return plain(bucket, key, headers, *arguments, **named)
        finally:
            _reading.is_ranged = False

    return get


def _lazy(plain: Callable[..., Any], disk_path: Callable[..., Any]) -> Callable[..., Any]:
    def read(bucket: str, key: str, stored: dict[str, Any]) -> Any:
        if getattr(_reading, "is_ranged", False) and stored.get("body") is None:
            path = disk_path(bucket, key)
            if path is not None and Path(path).exists():
                file = Path(path).open("rb")  # noqa: SIM115  (it is closed with the last of its parts)
                return _FileBody(file, 0, os.fstat(file.fileno()).st_size)
        return plain(bucket, key, stored)

    return read


def _chunked(plain: Callable[..., Any]) -> Callable[..., Any]:
    async def respond(send: Callable[..., Any], status: int, headers: Any, body: Any, *, head: bool = False) -> None:
        stored = body if isinstance(body, _FileBody) else None

        async def send_chunks(message: dict[str, Any]) -> None:
            if "body" not in message:
                await send(message)
                return
            content = memoryview(message["body"]) if stored is None else stored
            while len(content) > CHUNK_BYTES:
                await send({**message, "body": content[:CHUNK_BYTES], "more_body": True})
                content = content[CHUNK_BYTES:]
            await send({**message, "body": content})

        await plain(send_chunks, status, headers, body if stored is None else b"", head=head)

    return respond


def _unless_closed(plain: Callable[..., Any]) -> Callable[..., Any]:
    async def app_send(stream: Any, message: dict[str, Any] | None) -> None:
        if message is None or not stream.closed:
            await plain(stream, message)

    return app_send
