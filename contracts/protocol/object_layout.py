"""Where the documents and parts of a batch lie, and how the newest number is found."""

import re
from collections.abc import Callable
from datetime import datetime

MANIFEST_PREFIX = "batches/"
PUBLICATION_PREFIX = "publications/"
LOAD_PREFIX = "loads/"
LISTING_PREFIX = "listings/"
NOTICE_PREFIX = "notices/"


def manifest_key(batch: int) -> str:
    """Key of a batch's manifest in the ingestion bucket."""
    return f"{MANIFEST_PREFIX}{batch:08d}.json"


def publication_key(batch: int) -> str:
    """Key of a batch's publication in the processed bucket."""
    return f"{PUBLICATION_PREFIX}{batch:08d}.json"


def load_key(batch: int) -> str:
    """Key, in the processed bucket, of the note that the warehouse shows a batch."""
    return f"{LOAD_PREFIX}{batch:08d}.json"


def listing_key(batch: int) -> str:
    """Key, in the processed bucket, of the list of the lake's files after a batch."""
    return f"{LISTING_PREFIX}{batch:08d}.json"


def notice_key(number: int) -> str:
    """Key, in the processed bucket, of what people had been told, and what was the matter, after one change of it."""
    return f"{NOTICE_PREFIX}{number:08d}.json"


def document_number(prefix: str, key: str) -> int | None:
    """Return the number of the document that is stored under `key`, or None when the key is no document's."""
    found = re.fullmatch(rf"{re.escape(prefix)}(\d{{8}})\.json", key)
    return int(found[1]) if found else None


def part_key(table: str, snapshot_time: datetime, batch: int, attempt: str, part: int, suffix: str = "csv") -> str:
    """Key of a data part; `attempt` is unique to the run, so that two racing runs never collide."""
    return f"{table}/extracted_date={snapshot_time:%Y-%m-%d}/{batch:08d}-{attempt}-{part:04d}.{suffix}"


def key_part_key(table: str, snapshot_time: datetime, batch: int, attempt: str, part: int, suffix: str = "csv") -> str:
    """Key of a part of a key list: apart from the data parts, which are read as one raw table."""
    return f"keys/{part_key(table, snapshot_time, batch, attempt, part, suffix)}"


def newest_number(exists_after: Callable[[int], bool]) -> int:
    """Find the newest number of a gapless sequence 1, 2, 3 … in a store that only lists forwards.

    Parameters
    ----------
    exists_after
        Whether the store holds a number greater than the one given.

    Returns
    -------
    int
        The newest number, or 0 when there is none. About ``2 · log2(n)`` calls.
    """
    if not exists_after(0):
        return 0
    low, high = 0, 1  # something exists after low
    while exists_after(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if exists_after(middle) else (low, middle)
    return high
