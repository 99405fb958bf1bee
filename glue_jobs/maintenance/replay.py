"""Replay: a range of batches once more, into a database beside the live one, for comparison.

It goes through the same steps as the live lake and keeps its own publications under ``replay/<database>/``, so it can be
stopped at any time and resumed; nothing that the live lake or the warehouse reads is touched.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

import boto3
from pyspark.sql import SparkSession

from contracts.protocol.bucket import Bucket
from contracts.protocol.catalog import location, replay_prefix
from contracts.protocol.newest import newest_number
from contracts.protocol.object_layout import PUBLICATION_PREFIX, publication_key
from contracts.protocol.progress import whole_batches
from contracts.protocol.publication import Publication
from glue_jobs.batch_run import publish
from glue_jobs.context import Context
from glue_jobs.custody import check_published
from glue_jobs.errors import ReplayError
from glue_jobs.lake.maintenance import MaintainedLake


@dataclass(frozen=True, slots=True)
class Replay:
    """What is replayed: batches `first` to `last` into the database `into`."""

    first: int
    last: int
    into: str

    def check(self, database: str) -> None:
        """Check what is asked for.

        Parameters
        ----------
        database
            The live lake's.

        Raises
        ------
        ReplayError
            Naming what is wrong; nothing was done.
        """
        if not re.fullmatch(rf"{re.escape(database)}_replay[a-z0-9_]*", self.into):
            raise ReplayError(
                f"A replay goes into a database called {database}_replay…, not into {self.into!r}. Nothing was done."
            )
        if not 1 <= self.first <= self.last:
            raise ReplayError(
                f"A replay goes from a batch to the same or a later one, not from {self.first} to {self.last}."
            )


def replay(
    spark: SparkSession, ingestion: Bucket, processed: Bucket, asked: Replay, log: Callable[[str], None]
) -> None:
    """Transform batches into a database of their own, going on where an earlier run stopped.

    Where the first of them is not a full one, its rows may refer to what came before, and counts are not compared.

    Raises
    ------
    ReplayError
        When the database holds a replay that began with another batch, or there is no such batch.
    CustodyError
        When the batches are not those that the replay began with. Nothing was committed.
    """
    first, last, into = asked.first, asked.last, asked.into
    prefix = replay_prefix(into)
    beginning = next(whole_batches(ingestion, first - 1), None)
    if beginning is None or beginning.batch > last:
        raise ReplayError(f"There is no whole batch from {first} to {last}. Nothing was done.")
    begun = processed.keys_after(prefix + PUBLICATION_PREFIX, 0, limit=1)
    if begun and begun[0] != prefix + publication_key(beginning.batch):
        raise ReplayError(
            f"{into} holds a replay that began with another batch than {first}. Drop it or choose another name."
        )
    _ensure_database(into, location(processed.name, prefix))
    lake = MaintainedLake(spark, into, processed.name)
    context = Context(spark, ingestion, processed, lake, prefix, is_partial=not beginning.is_full)
    done = newest_number(processed, prefix + PUBLICATION_PREFIX)
    key = publication_key(done)
    previous = Publication.from_json(processed.get(prefix + key), key) if done else None
    if previous:
        check_published(ingestion, previous)
    for manifest in takewhile(lambda m: m.batch <= last, whole_batches(ingestion, max(done, first - 1))):
        previous = publish(context, manifest, previous, log)
        log(f"replayed batch {manifest.batch} into {into}")


def _ensure_database(name: str, location: str) -> None:
    glue = boto3.client("glue")
    try:
        glue.get_database(Name=name)
    except glue.exceptions.EntityNotFoundException:
        glue.create_database(
            DatabaseInput={"Name": name, "LocationUri": location, "Description": "A replay of batches, for comparison"}
        )
