"""What is deployed, in which state, and what an earlier deployment has left."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from cdk_app.settings import BUCKETS
from operate.doctor.finding import Finding, fine
from operate.doctor.kinds import Kind
from operate.doctor.permissions import is_not_found
from operate.doctor.platform import Platform

_FAILED = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}
_ROLLED_BACK = {"UPDATE_ROLLBACK_COMPLETE"}
_STUCK = {"UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"}
#: A stack that is to be made, and of which nothing is made yet, counts as one that is not there.
_NOT_MADE = {"REVIEW_IN_PROGRESS", "DELETE_COMPLETE"}


def states(platform: Platform) -> dict[str, str]:
    """Return the state of each stack that is there."""
    pages = platform.client("cloudformation").get_paginator("describe_stacks").paginate()
    found = {stack["StackName"]: str(stack["StackStatus"]) for page in pages for stack in page["Stacks"]}
    return {name: found[name] for name in platform.stacks if found.get(name, "DELETE_COMPLETE") not in _NOT_MADE}


def is_deployed(platform: Platform, stack: str) -> bool:
    """Tell whether a stack is there, in whatever state."""
    return f"{platform.settings.prefix}-{stack}" in states(platform)


def check_stacks(platform: Platform) -> Iterator[Finding]:
    """Look at the state of each stack."""
    found = states(platform)
    for stack, state in found.items():
        text = f"Stack {stack} is in state {state}."
        if state in _FAILED:
            yield Kind.STACK_FAILED.found(text, stack=stack)
        elif state in _STUCK:
            yield Kind.STACK_STUCK.found(text, stack=stack)
        elif state in _ROLLED_BACK:
            yield Kind.STACK_ROLLED_BACK.found(text, stack=stack)
        elif state.endswith("_IN_PROGRESS"):
            yield Kind.STACK_BUSY.found(text, stack=stack)
    missing = [name for name in platform.stacks if name not in found]
    if not found:
        yield fine("Nothing is deployed yet.")
    elif missing:
        yield Kind.STACKS_MISSING.found(
            f"{', '.join(missing)}: not deployed, and others are.", environment=platform.settings.environment
        )
    else:
        yield fine(f"{len(found)} stacks are deployed.")


def check_names(platform: Platform) -> Iterator[Finding]:
    """Look for buckets and databases that the next deployment would make and that are there, or would adopt and are not."""
    wanted = []
    if not is_deployed(platform, "storage"):
        wanted += [(f"bucket {name}", _has_bucket(platform, name)) for name in map(platform.bucket, BUCKETS)]
    if not is_deployed(platform, "catalog"):
        database = platform.settings.database
        wanted.append((f"Glue database {database}", _has_database(platform, database)))
    there = [name for name, is_there in wanted if is_there]
    absent = [name for name, is_there in wanted if not is_there]
    environment = platform.settings.environment
    if platform.settings.adopt and absent:
        yield Kind.NOTHING_TO_ADOPT.found(f"{', '.join(absent)}: not there, and adopt is on.", environment=environment)
    elif there and not platform.settings.adopt:
        yield Kind.NAME_LEFT.found(
            f"{', '.join(there)}: there, and of no stack that is deployed.", environment=environment
        )
    elif there:
        yield fine(f"{', '.join(there)}: there, and will be adopted.")
    else:
        yield fine("No name that the deployment needs is taken.")


def _has_bucket(platform: Platform, name: str) -> bool:
    try:
        platform.client("s3").head_bucket(Bucket=name)
    except ClientError as error:
        if not is_not_found(error):
            raise
        return False
    return True


def _has_database(platform: Platform, name: str) -> bool:
    try:
        platform.client("glue").get_database(Name=name)
    except ClientError as error:
        if not is_not_found(error):
            raise
        return False
    return True
