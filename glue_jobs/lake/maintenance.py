"""Maintaining the lake's tables: few large files instead of many small ones, and no snapshots that nobody needs any more.

Every commit is validated against what was read, as a batch's is: of two runs that touch the same files, one is told so.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta

from py4j.protocol import Py4JJavaError

from contracts.protocol.catalog import CATALOG
from contracts.tables.table import StarTable
from glue_jobs.lake.iceberg import described, iterate, translated
from glue_jobs.lake.pruning import bucket, condition, month, width
from glue_jobs.lake.retention import due
from glue_jobs.lake.tables import Lake

#: More than the small files of a partition will ever have together.
_ONE_FILE_BYTES = 2**30


class MaintainedLake(Lake):
    """The lake's tables, as maintenance changes them too."""

    def compact(self, table: StarTable) -> int:
        """Rewrite every partition of several files as one file, in the order of its keys.

        Returns
        -------
        int
            How many partitions.

        Raises
        ------
        ConflictError
            When such a partition has changed meanwhile. Nothing was committed.
        """
        head, loaded = self.head(table), self._load(table)
        if loaded.currentSnapshot() is None or int(loaded.currentSnapshot().summary().get("total-data-files")) < 2:
            return 0
        files: Counter[str] = Counter()
        for task in iterate(loaded.newScan().planFiles()):
            file = task.file()
            files[str(loaded.specs().get(file.specId()).partitionToPath(file.partition()))] += 1
        scattered = [path for path, count in files.items() if count > 1]
        if not scattered:
            return 0
        conditions = " or ".join(condition(path, width(table)) for path in scattered)
        rows = self.read(table, head.snapshot_id).where(conditions)
        part = bucket(table)
        number = month(table) if part is None else part
        rows = rows.coalesce(1) if number is None else rows.repartition(number)
        order = [table.key, table.record_id] if table.record_id else [table.key]
        writer = self._writer(table, rows.sortWithinPartitions(*order), None, None, head)
        self._commit(writer, lambda w: w.overwritePartitions())
        return len(scattered)

    def compact_small_files(self, table: StarTable, least: int, small_bytes: int) -> int:
        """Rewrite the small files of each partition that has many of them as one file, in the order of its keys.

        Parameters
        ----------
        least
            Partitions with fewer small files are left alone.
        small_bytes
            Files of this size and larger are left alone.

        Returns
        -------
        int
            How many files were rewritten.

        Raises
        ------
        ConflictError
            When such a file was replaced meanwhile. Nothing was committed.
        """
        loaded = self._load(table)
        snapshot = loaded.currentSnapshot()
        if snapshot is None or int(snapshot.summary().get("total-data-files")) < least:
            return 0
        order = self._java("SortOrder").builderFor(loaded.schema())
        for column in filter(None, (table.key, table.record_id)):
            order = order.asc(column)
        action = self._java("spark.actions.SparkActions").get(self._spark._jsparkSession).rewriteDataFiles(loaded)
        action = action.sort(order.build())
        options = {
            "min-input-files": least,
            "min-file-size-bytes": small_bytes,
            "target-file-size-bytes": _ONE_FILE_BYTES,
            "max-concurrent-file-group-rewrites": 2,
        }
        for name, value in options.items():
            action = action.option(name, str(value))
        try:
            return int(action.execute().rewrittenDataFilesCount())
        except Py4JJavaError as error:
            raise translated(error) from None

    def rewrite_manifests(self, table: StarTable) -> None:
        """Bring the lists of data files together where there are several."""
        loaded = self._load(table)
        snapshot = loaded.currentSnapshot()
        if snapshot is None:
            return
        live = [m for m in iterate(snapshot.dataManifests(loaded.io())) if m.hasAddedFiles() or m.hasExistingFiles()]
        if len(live) > 1:
            self._spark.sql(
                f"call {CATALOG}.system.rewrite_manifests(table => '{self._database}.{table.name}', use_caching => false)"
            )

    def expire(self, table: StarTable, keep_days: int, *, published: int, confirmed: int) -> int:
        """Forget snapshots older than `keep_days` that nobody needs, and delete the files that only they have.

        Parameters
        ----------
        published, confirmed
            Numbers of the newest publication, and of the newest batch that a load has confirmed.

        Returns
        -------
        int
            How many snapshots.

        Raises
        ------
        ConflictError
            When other runs keep committing to the table. Nothing was committed.
        """
        limit = datetime.now(UTC) - timedelta(days=keep_days)
        loaded = self._load(table)
        snapshots = [s for s in map(described, iterate(loaded.snapshots())) if s]
        newest = described(loaded.currentSnapshot())
        ids = due(snapshots, newest.id if newest else None, published=published, confirmed=confirmed, limit=limit)
        if not ids:
            return 0
        expiring = loaded.expireSnapshots().expireOlderThan(0)  # none by age: only those that are named
        for id in sorted(ids):
            expiring = expiring.expireSnapshotId(id)
        try:
            expiring.cleanExpiredFiles(True).commit()
        except Py4JJavaError as error:
            raise translated(error) from None
        return len(ids)
