"""A correction stands in for the value that it corrects.

A row whose value does not convert stops its batch. Once the source is mended, a later batch carries
the row again; that version then takes the place of the refused one, so that the batch and all that
waits behind it can be published. Only refused versions are replaced: they could never be shown.
"""

from collections.abc import Callable, Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.batch import Manifest
from contracts.source import SOURCE_TABLES
from glue_jobs.reader import read_raw
from glue_jobs.star.typed import Rejection, is_refused


class Corrections:
    """The corrected rows of one batch.

    Parameters
    ----------
    bucket
        The ingestion bucket.
    manifest
        The batch.
    later
        Reads the batches that wait behind it, in order. Called only when a row is refused.
    """

    def __init__(
        self, spark: SparkSession, bucket: str, manifest: Manifest, later: Callable[[], Sequence[Manifest]]
    ) -> None:
        self._spark = spark
        self._bucket = bucket
        self._manifest = manifest
        self._later = later
        self._corrected: dict[str, DataFrame] = {}

    def raw(self, table: str) -> DataFrame:
        """Return the rows of a source table, corrected where that was necessary; every column text."""
        if table in self._corrected:
            return self._corrected[table]
        return read_raw(self._spark, self._bucket, self._manifest, table)

    def correct(self, rejection: Rejection) -> bool:
        """Replace every refused row of the rejection's table by its newest correction.

        Returns
        -------
        bool
            Whether the rejected row has one. A table is corrected once: what is refused then stays so.
        """
        name = rejection.table
        if name in self._corrected:
            return False
        table, own = SOURCE_TABLES[name], self.raw(name)
        refused = own.where(is_refused(table) | (F.col(table.key) == rejection.key)).select(table.key)
        waiting = {row[0] for row in refused.collect()}
        corrected = own.where(~F.col(table.key).isin(*waiting))
        for manifest in reversed(self._later()):
            newer = read_raw(self._spark, self._bucket, manifest, name)
            found = newer.where(F.col(table.key).isin(*waiting) & ~is_refused(table))
            keys = {row[0] for row in found.select(table.key).collect()}
            if keys:
                corrected = corrected.unionByName(found)
                waiting -= keys
            if not waiting:
                self._corrected[name] = corrected
                return True
        return False
