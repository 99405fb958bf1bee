"""Upkeep of the lake: few large files instead of many small ones, and no snapshots that nobody needs any more.

Safe beside a running transform: every commit is validated against what was read, and a loser begins again.
"""

from collections.abc import Callable

from contracts.star import LAKE_TABLES, QUARANTINE, QUARANTINE_ROW
from contracts.table import StarTable
from glue_jobs.errors import ConflictError
from glue_jobs.lake import Lake

ATTEMPTS = 5
#: Batches after which small files are brought together, and how many of them a partition must have.
BATCHES = 16
#: Files of this size are no longer small: rewriting them would cost more than they cost those that read them.
SMALL_BYTES = 4 * 2**20
#: Rewritten whole by every batch that changes them, and read as earlier batches left them.
_WHOLE = (QUARANTINE, QUARANTINE_ROW)


def maintain(lake: Lake, published: int, keep_days: int, log: Callable[[str], None]) -> None:
    """Compact every table's partitions of several files, rewrite its manifests, and expire its old snapshots.

    Parameters
    ----------
    published
        Number of the newest publication. Tables that a batch has changed which is not published yet are left for the next
        time: a run that finishes that batch needs their snapshots.
    keep_days
        Snapshots younger than this stay, and with them every file that a publication may still be loaded from.
    log
        Receives one line for each table.
    """
    for table in LAKE_TABLES.values():
        if not lake.exists(table):
            continue
        commit = lake.head(table).commit
        if commit and commit.batch > published:
            log(f"{table.name}: batch {commit.batch} is on its way; left for the next time")
            continue
        compacted = 0 if table in _WHOLE else _compact(lake, table, log)
        lake.rewrite_manifests(table)
        expired = lake.expire(table, keep_days)
        log(f"{table.name}: {compacted} partitions compacted, {expired} files expired")


def gather(lake: Lake, log: Callable[[str], None]) -> None:
    """Bring the small files together that batches have left since the last maintenance.

    What it costs follows what these batches wrote, because larger files are left alone. Without it, each batch would open
    the files of all batches since then.
    """
    for table in LAKE_TABLES.values():
        try:
            files = lake.gather(table, BATCHES, SMALL_BYTES)
        except ConflictError:
            log(f"{table.name}: a batch has changed what was being brought together; left for the next time")
        else:
            if files:
                log(f"{table.name}: {files} small files brought together")


def _compact(lake: Lake, table: StarTable, log: Callable[[str], None]) -> int:
    for _ in range(ATTEMPTS):
        try:
            return lake.compact(table)
        except ConflictError:
            log(f"{table.name}: a batch has changed what was being compacted; again")
    log(f"{table.name}: not compacted, because batches keep changing it; left for the next time")
    return 0
