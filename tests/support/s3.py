"""S3 in a dict, for what the batch protocol uses of it, with the requests counted."""

import io
from collections import Counter
from types import SimpleNamespace

from botocore.exceptions import ClientError


def refused(code, operation="GetObject"):
    return ClientError({"Error": {"Code": code}}, operation)


class MemoryS3:
    """Objects in a dict.

    Attributes
    ----------
    requests
        How many there were of each operation.
    refuses
        Pairs of an operation and a part of a key that are answered with AccessDenied.
    """

    def __init__(self, objects=None):
        self.objects, self.requests, self.refuses = dict(objects or {}), Counter(), set()
        self.meta = SimpleNamespace(
            events=SimpleNamespace(register=self._conditional, unregister=lambda *_: self._conditional(None, None))
        )
        self._only_if_absent = False

    def _conditional(self, event, _):
        self._only_if_absent = event is not None

    def _count(self, operation, key):
        self.requests[operation] += 1
        if any(operation == name and part in key for name, part in self.refuses):
            raise refused("AccessDenied", operation)

    def put_object(self, *, Bucket, Key, Body, ContentType=""):
        self._count("PutObject", Key)
        if self._only_if_absent and Key in self.objects:
            raise refused("PreconditionFailed", "PutObject")
        self.objects[Key] = Body

    def head_object(self, *, Bucket, Key):
        self._count("HeadObject", Key)
        if Key not in self.objects:
            raise refused("404", "HeadObject")
        return {"ContentLength": len(self.objects[Key])}

    def get_object(self, *, Bucket, Key):
        self._count("GetObject", Key)
        if Key not in self.objects:
            raise refused("NoSuchKey")
        return {"Body": io.BytesIO(self.objects[Key])}

    def list_objects_v2(self, *, Bucket, Prefix, StartAfter, MaxKeys):
        self._count("ListObjectsV2", Prefix)
        found = sorted(key for key in self.objects if key.startswith(Prefix) and key > StartAfter)
        return {"Contents": [{"Key": key} for key in found[:MaxKeys]], "IsTruncated": len(found) > MaxKeys}
