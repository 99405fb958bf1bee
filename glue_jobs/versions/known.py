"""The newest versions of a small batch's keys: looked up, or remembered from earlier batches of the run.

A look-up opens the files of all batches since small files were compacted last, however few its keys are. So a run that comes to
a second batch looks up the keys of those that wait behind it too, and remembers what it has found and written.
"""

from collections.abc import Collection, Iterable, Mapping

from contracts.tables.lake import SOURCE_DELETION
from glue_jobs.context import Remembered
from glue_jobs.lake.states import Commit, Head
from glue_jobs.staging.coming import coming_keys
from glue_jobs.staging.staged_table import StagedTable
from glue_jobs.versions.newest import newest_versions

#: Keys of a table that are remembered from batch to batch: some 25 MB.
KEYS = 100_000


def known_versions(staged: StagedTable, head: Head, keys: Iterable[int]) -> dict[int, str]:
    """Return the content hash of the newest version of each of `keys` that is current."""
    wanted = _in_range(staged, keys)
    if not wanted or not head.snapshot_id:
        return {}
    if head.commit is None or head.of_batch(staged.batch.number):
        # No commit tells the table's state, or an earlier try of the batch has made it.
        return _looked_up(staged, wanted)
    remembered = _remembered(staged, head.commit)
    unknown = wanted - remembered.hashes.keys()
    if unknown:
        if remembered.hashes:
            batch = staged.batch
            unknown |= coming_keys(batch.context.ingestion, batch.number, staged.source.name) - remembered.hashes.keys()
        found = _looked_up(staged, _in_range(staged, unknown))
        remembered.hashes.update((key, found.get(key)) for key in unknown)
    newest = {key: remembered.hashes[key] for key in wanted}
    return {key: row_hash for key, row_hash in newest.items() if row_hash is not None}


def remember(staged: StagedTable, head: Head, commit: Commit, hashes: Mapping[int, str]) -> None:
    """Remember what the batch has written to the table, which was at `head` before."""
    before = _remembered(staged, head.commit).hashes if head.commit else {}
    staged.batch.context.remembered[staged.table.name] = Remembered(_state(staged, commit), {**before, **hashes})


def _remembered(staged: StagedTable, commit: Commit) -> Remembered:
    """Return what is remembered of the table: nothing when others have committed since, or when it has become too much."""
    of_tables, state = staged.batch.context.remembered, _state(staged, commit)
    found = of_tables.get(staged.table.name)
    if found is None or found.state != state or len(found.hashes) > KEYS:
        found = of_tables[staged.table.name] = Remembered(state)
    return found


def _state(staged: StagedTable, commit: Commit) -> tuple[str, str]:
    """Return what tells which keys have which newest version: the table's newest commit, and that of the deletions."""
    return commit.snapshot_id, staged.batch.before[SOURCE_DELETION.name].snapshot_id


def _in_range(staged: StagedTable, keys: Iterable[int]) -> set[int]:
    return {key for key in keys if staged.before.lowest_key <= key <= staged.before.highest_key}


def _looked_up(staged: StagedTable, keys: Collection[int]) -> dict[int, str]:
    if not keys:
        return {}
    newest = newest_versions(staged.batch, staged.table, before=True, keys=keys)
    return {row[staged.table.key]: row["row_hash"] for row in newest.collect()}
