"""What is in a bucket, and how it is emptied: every version of every object."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from operate.errors import OperateError


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bucket holds.

    Attributes
    ----------
    versions
        Versions of objects, and marks of deleted ones.
    size
        Their bytes.
    """

    versions: int
    size: int


def contents(s3: Any, bucket: str) -> Contents | None:
    """Count what `bucket` holds; None when there is no such bucket."""
    if not is_there(s3, bucket):
        return None
    versions = size = 0
    for page in _pages(s3, bucket):
        versions += len(page)
        size += sum(version.get("Size", 0) for version in page)
    return Contents(versions, size)


def is_there(s3: Any, bucket: str) -> bool:
    """Tell whether there is such a bucket, and it is ours."""
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            return False
        raise
    return True


def empty(s3: Any, bucket: str, deleted: Callable[[int], None] = lambda number: None) -> None:
    """Delete every version of every object in `bucket`, a page of up to 1,000 at a time.

    Parameters
    ----------
    deleted
        Is told how many more versions are gone.

    Raises
    ------
    OperateError
        When S3 refuses to delete one, with its reason.
    """
    # From the beginning each time: a listing does not go on after a version that is gone.
    while versions := next(_pages(s3, bucket)):
        keys = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
        refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors", [])
        if refused:
            raise OperateError(
                f"S3 refuses to delete {len(refused)} of {len(keys)} versions in {bucket} ({refused[0]['Code']}: "
                f"{refused[0]['Key']}). Part of the data is gone. See that you may delete there, and run the command again."
            )
        deleted(len(keys))


def _pages(s3: Any, bucket: str) -> Iterator[list[dict[str, Any]]]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        yield [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
