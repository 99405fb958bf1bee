"""AWS clients of the functions: an execution environment makes each of them once, and keeps its connections from event to event."""

import functools
from typing import Any

import boto3


@functools.cache
def client(service: str) -> Any:
    """Return the client of a service, with the login and the region of the function.

    Parameters
    ----------
    service
        As boto3 calls it: ``s3``.
    """
    return boto3.client(service)
