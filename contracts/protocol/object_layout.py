"""Where the documents and parts of a batch lie."""

import re
from datetime import datetime

MANIFEST_PREFIX = "batches/"
PUBLICATION_PREFIX = "publications/"
LOAD_PREFIX = "loads/"
LISTING_PREFIX = "listings/"
NOTICE_PREFIX = "notices/"
#: Apart from the documents: an object beside manifests would start the state machine, and Athena would read it as one of them.
HINT_PREFIX = "newest/"


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


def hint_key(prefix: str) -> str:
    """Key, in the bucket of the documents under `prefix`, of the hint where the newest of them is."""
    return f"{HINT_PREFIX}{prefix.rstrip('/')}"


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
