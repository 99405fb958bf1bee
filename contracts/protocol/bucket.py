"""One bucket of the batch protocol: numbered documents, written once by a conditional put."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from contracts.errors import DuplicateNumberError, StorageError
from contracts.protocol.object_layout import document_number

#: No document has a higher number.
HIGHEST_NUMBER = 99_999_999


#: Keys listed at a time, where one would do: some may be no documents.
LOOKED_AT = 20


#: How often a conditional put is tried while another one of the same key is under way.
ATTEMPTS = 5


class Bucket:
    """One bucket, as the batch protocol uses it.

    Parameters
    ----------
    client
        A boto3 S3 client.
    name
        Name of the bucket.
    """

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name

    def keys_after(self, prefix: str, number: int, limit: int = 1000) -> list[str]:
        """Return up to `limit` keys of documents numbered greater than `number`, in order.

        What somebody else has put beside them is passed over.
        """
        found: list[str] = []
        last = f"{prefix}{number:08d}.json"
        while len(found) < limit:
            answer = self._call("list_objects_v2", Prefix=prefix, StartAfter=last, MaxKeys=max(limit, LOOKED_AT))
            keys = [item["Key"] for item in answer.get("Contents", [])]
            found += [key for key in keys if document_number(prefix, key) is not None]
            if not answer.get("IsTruncated") or keys[-1] > f"{prefix}{HIGHEST_NUMBER}.json":
                break
            last = keys[-1]
        return found[:limit]

    def get(self, key: str) -> bytes:
        """Return an object's bytes."""
        body: bytes = self._call("get_object", Key=key)["Body"].read()
        return body

    def find(self, key: str) -> bytes | None:
        """Return an object's bytes, or None when there is no such object."""
        answer = self._look("get_object", key)
        return None if answer is None else bytes(answer["Body"].read())

    def size(self, key: str) -> int | None:
        """Return an object's size in bytes, or None when there is no such object."""
        answer = self._look("head_object", key)
        return None if answer is None else int(answer["ContentLength"])

    def put(self, key: str, data: bytes) -> None:
        """Write an object, whether it exists or not."""
        self._call("put_object", Key=key, Body=data, ContentType="application/json")

    def put_once(self, key: str, data: bytes) -> None:
        """Write an object that must not exist yet, or that is these bytes already.

        An answer may be lost, and the client then repeats its request: what it finds there is its own object.

        Raises
        ------
        DuplicateNumberError
            When another run wrote it first. Nothing was changed.
        StorageError
            When S3 fails, and the object is not there afterwards or cannot be looked at.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._put_if_absent(key, data)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code")
                if code == "ConditionalRequestConflict" and attempt < ATTEMPTS:
                    continue  # another put of this key is under way: it may fail yet
                if code not in ("PreconditionFailed", "ConditionalRequestConflict"):
                    raise self._explain("put_object", error) from None
                if self._holds(key, data):
                    return None
                raise DuplicateNumberError(f"{key} was committed by another run first") from None
            except BotoCoreError as error:
                if self._holds(key, data):
                    return None
                raise self._explain("put_object", error) from None
        raise AssertionError("unreachable")

    def _put_if_absent(self, key: str, data: bytes) -> None:
        events = self.client.meta.events
        events.register("before-call.s3.PutObject", _only_if_absent)
        try:
            self.client.put_object(Bucket=self.name, Key=key, Body=data, ContentType="application/json")
        finally:
            events.unregister("before-call.s3.PutObject", _only_if_absent)

    def _holds(self, key: str, data: bytes) -> bool:
        """Tell whether the object is there and has these bytes."""
        return self.size(key) == len(data) and self.get(key) == data

    def _look(self, operation: str, key: str) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = getattr(self.client, operation)(Bucket=self.name, Key=key)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey", "NotFound"):
                return None
            raise self._explain(operation, error) from None
        except BotoCoreError as error:
            raise self._explain(operation, error) from None
        return answer

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self.client, operation)(Bucket=self.name, **arguments)
        except (ClientError, BotoCoreError) as error:
            raise self._explain(operation, error) from None
        return answer

    def _explain(self, operation: str, error: Exception) -> StorageError:
        unreached = isinstance(error, ConnectTimeoutError | EndpointConnectionError)
        what_to_do = (
            " S3 is not reached: in a VPC, the subnets need a NAT gateway, or s3 in vpc_endpoints." if unreached else ""
        )
        return StorageError(
            f"S3 {operation} on bucket {self.name} failed: {type(error).__name__} {error}.{what_to_do} Nothing was "
            f"committed; the next run goes on."
        )


def _only_if_absent(params: dict[str, Any], **_: Any) -> None:
    # The boto3 that Glue ships predates put_object's IfNoneMatch parameter; S3 itself only sees the header.
    params["headers"]["If-None-Match"] = "*"
