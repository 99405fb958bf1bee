"""Maintenance of the lake: few large files instead of many small ones, and no snapshots that nobody needs any more.

Safe beside a running transform: every commit is validated against what was read, and whoever loses retries.
"""

from collections.abc import Callable

from contracts.protocol.bucket import Bucket
from contracts.protocol.progress import newest_load_number, newest_publication_number
from contracts.tables.lake import LAKE_TABLES, QUARANTINE, QUARANTINE_ROW
from contracts.tables.table import StarTable
from glue_jobs.errors import ConflictError
from glue_jobs.lake.maintenance import MaintainedLake

ATTEMPTS = 5
#: Small files are compacted after so many batches, as soon as none waits any more.
BATCHES = 16
#: Of batches that wait, so many are looked up together; then small files are compacted, though others wait.
BACKLOG = 64
#: How many small files a partition must have: not every batch changes it.
SMALL_FILES = 8
#: Files of this size are no longer small: rewriting them would cost more than they cost those that read them.
SMALL_BYTES = 4 * 2**20
#: Rewritten whole by every batch that changes them, and read as earlier batches left them.
_WHOLE = (QUARANTINE, QUARANTINE_ROW)


def maintain(lake: MaintainedLake, processed: Bucket, keep_days: int, log: Callable[[str], None]) -> None:
    """Compact every table's partitions of several files, rewrite its manifests, and expire its old snapshots.

    Tables that a batch has changed which is not published yet are left for the next time.

    Parameters
    ----------
    processed
        The bucket whose publications and notes of loads tell what is still needed, however old it is.
    keep_days
        Snapshots younger than this stay in any case.
    log
        Receives one line for each table.
    """
    published, confirmed = newest_publication_number(processed), newest_load_number(processed)
    for table in LAKE_TABLES.values():
        if not lake.exists(table):
            continue
        commit = lake.head(table).commit
        if commit and commit.batch > published:
            log(f"{table.name}: batch {commit.batch} is on its way; left for the next time")
            continue
        compacted = 0 if table in _WHOLE else _compact(lake, table, log)
        try:
            lake.rewrite_manifests(table)
            expired = lake.expire(table, keep_days, published=published, confirmed=confirmed)
        except ConflictError:
            log(f"{table.name}: batches keep changing it; old snapshots are left for the next time")
        else:
            log(f"{table.name}: {compacted} partitions compacted, {expired} snapshots expired")


def compact_small_files(lake: MaintainedLake, log: Callable[[str], None]) -> None:
    """Compact the small files that batches have left since the last maintenance.

    What it costs follows what these batches wrote, because larger files are left alone. Without it, each batch would open
    the files of all batches since then.
    """
    for table in LAKE_TABLES.values():
        try:
            files = lake.compact_small_files(table, SMALL_FILES, SMALL_BYTES)
        except ConflictError:
            log(f"{table.name}: a batch has changed what was being compacted; left for the next time")
        else:
            if files:
                log(f"{table.name}: {files} small files compacted")


def _compact(lake: MaintainedLake, table: StarTable, log: Callable[[str], None]) -> int:
    for _ in range(ATTEMPTS):
        try:
            return lake.compact(table)
        except ConflictError:
            log(f"{table.name}: a batch has changed what was being compacted; retried")
    log(f"{table.name}: not compacted, because batches keep changing it; left for the next time")
    return 0
