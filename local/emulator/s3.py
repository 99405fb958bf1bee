"""A full disk: the emulator would accept an object that it cannot store; this refuses it, as a failing S3 would."""

import shutil
from collections.abc import Callable
from typing import Any

#: Kept free for everything else that the emulator and the databases write.
RESERVE_BYTES = 16 * 2**20


def install() -> None:
    """Refuse objects for which there is no room; nothing of a refused object remains."""
    import ministack.services.s3 as service

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
