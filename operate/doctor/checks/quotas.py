"""What the account may use of Lambda and Glue."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from operate.doctor.finding import Finding, fine
from operate.doctor.kinds import Kind
from operate.doctor.permissions import is_not_found
from operate.doctor.platform import Platform

#: AWS refuses a reservation that leaves less than this to all functions without one.
UNRESERVED = 100
#: G.1X is one unit (DPU) a worker.
_GLUE_QUOTA = "max task dpus"


def check_concurrency(platform: Platform) -> Iterator[Finding]:
    """Look whether one execution may be reserved for the extraction."""
    if not platform.settings.reserve_concurrency:
        yield fine("No concurrency of Lambda is reserved.")
        return
    functions = platform.client("lambda")
    limit = functions.get_account_settings()["AccountLimit"]
    left = int(limit["UnreservedConcurrentExecutions"])
    if not _is_reserved(platform):
        left -= 1
    if left < UNRESERVED:
        yield Kind.CONCURRENCY.found(
            f"The account has {limit['ConcurrentExecutions']} concurrent executions; {left} would be left unreserved.",
            environment=platform.settings.environment,
        )
    else:
        yield fine(f"{left} concurrent executions of Lambda are left unreserved.")


def _is_reserved(platform: Platform) -> bool:
    try:
        answer = platform.client("lambda").get_function_concurrency(FunctionName=platform.function("extract"))
    except ClientError as error:
        if not is_not_found(error):
            raise
        return False
    return "ReservedConcurrentExecutions" in answer


def check_glue(platform: Platform) -> Iterator[Finding]:
    """Compare the job's workers with the account's quota."""
    pages = platform.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="glue")
    quotas = [quota for page in pages for quota in page["Quotas"] if _GLUE_QUOTA in quota["QuotaName"].lower()]
    workers = platform.settings.glue_workers
    if not quotas:
        yield Kind.NOT_CHECKED.found("Service Quotas tells nothing of Glue's capacity units.")
    elif (allowed := min(quota["Value"] for quota in quotas)) < workers:
        yield Kind.GLUE_CAPACITY.found(
            f"The account may use {allowed:g} units of Glue at a time, the job asks for up to {workers}.",
            environment=platform.settings.environment,
        )
    else:
        yield fine(f"The account may use {allowed:g} units of Glue at a time, the job asks for up to {workers}.")
