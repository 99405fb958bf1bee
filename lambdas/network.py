"""A network from which AWS is not reached: a message that says which service, and what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError

from lambdas.errors import NetworkError


@contextmanager
def network_explained() -> Iterator[None]:
    """Turn the SDK's error of a connection that does not come about into one that says what to do; also a decorator.

    Raises
    ------
    NetworkError
        Naming the service.
    """
    try:
        yield
    except (ConnectTimeoutError, EndpointConnectionError) as error:
        service = _service(str(error.kwargs.get("endpoint_url", "")))
        raise NetworkError(
            f"The function does not reach the AWS service {service}. When it runs in a VPC (vpc_id), its subnets need a route "
            f"to it: a NAT gateway, or {service} in vpc_endpoints; and its security groups must let port 443 out. Nothing "
            f"was committed; the next run goes on."
        ) from None


def _service(url: str) -> str:
    """Return the service of an endpoint: ``https://secretsmanager.eu-west-2.amazonaws.com/``, ``https://bucket.s3.…``."""
    host = re.sub(r"^\w+://", "", url)
    return "s3" if re.search(r"(^|\.)s3[.-]", host) else host.partition(".")[0]
