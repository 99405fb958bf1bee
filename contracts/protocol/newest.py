"""The newest number under a prefix, found with two requests whatever the number.

S3 only lists forwards. So who commits a document notes its number in one small object, the *hint*, and who searches lists from
there. The hint is never trusted: it only says where the list begins. Where it is lost, damaged, too high or not allowed to be
read, all numbers are searched; where it is too low, the list is longer.
"""

import re
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import ContractError
from contracts.protocol.bucket import Bucket
from contracts.protocol.object_layout import document_number, hint_key

#: Keys that one list call returns at most.
PAGE = 1000


def newest_number(bucket: Bucket, prefix: str) -> int:
    """Return the newest number under `prefix`, or 0 when there is none.

    Any number that is listed after the hint, or is the hint itself, is newer than all that are not: the answer is the last of them.
    """
    hint = _hint(bucket, prefix)
    found = bucket.keys_after(prefix, hint - 1, limit=PAGE) if hint else []
    last = document_number(prefix, found[-1]) or 0 if found else 0
    if last and len(found) < PAGE:
        return last
    return search(lambda number: bool(bucket.keys_after(prefix, number, limit=1)), last)


def note_newest(bucket: Bucket, prefix: str, number: int, log: Callable[[str], object]) -> None:
    """Note the number of a document that was just committed; a note that fails is told and does no harm.

    Of two that race, the older may stay: the next search then lists one key more.

    Parameters
    ----------
    log
        Receives a line when the note could not be written.
    """
    key = hint_key(prefix)
    try:
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=str(number).encode())
    except (ClientError, BotoCoreError) as error:
        log(
            f"{key} in bucket {bucket.name} could not be written: {type(error).__name__} {error}. Number {number} is committed all "
            f"the same; the searches for the newest number take longer until the next one is noted."
        )


def search(exists_after: Callable[[int], bool], known: int = 0) -> int:
    """Find the newest number with nothing but the question whether there is a newer one.

    Parameters
    ----------
    exists_after
        Whether the store holds a number greater than the one given.
    known
        A number that is there, or 0.

    Returns
    -------
    int
        The newest number, or `known` when none is greater. About ``2 · log2(n)`` calls, where `n` is how far it is from `known`.
    """
    if not exists_after(known):
        return known
    low, step = known, 1  # something exists after low
    while exists_after(known + step):
        low, step = known + step, step * 2
    high = known + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if exists_after(middle) else (low, middle)
    return high


def _hint(bucket: Bucket, prefix: str) -> int:
    """Return the noted number, or 0 when there is none that could be one."""
    try:
        noted = bucket.find(hint_key(prefix)) or b""
    except (ContractError, BotoCoreError):
        return 0  # the list that follows fails as well, unless only the hint may not be read
    return int(noted) if re.fullmatch(rb"[0-9]{1,8}", noted) else 0
