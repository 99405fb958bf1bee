"""Glue job ``transform``: bring every pending batch into the lake, in order; and the lake's upkeep.

Arguments
---------
--ingestion_bucket, --processed_bucket, --database
    Where batches come from, where publications go, and the lake's Glue database. Other arguments,
    which Glue adds, are ignored.
--mode
    ``transform``; ``maintain`` (compact files, expire snapshots older than ``--keep_days``); ``list`` (the lake's files, for a
    rebuild of the warehouse); or ``replay`` (batches ``--from`` to ``--to`` into the database ``--into``).
"""

import argparse
import sys
import time
from collections.abc import Sequence

import boto3
from pyspark.sql import SparkSession

from contracts.store import Bucket, newest_publication_number, read_publication, whole_batches
from glue_jobs.errors import OvertakenError
from glue_jobs.lake import Lake
from glue_jobs.listing import list_files
from glue_jobs.maintain import maintain
from glue_jobs.publish import publish
from glue_jobs.replay import check_replay, replay
from glue_jobs.workplace import Workplace


def main(arguments: Sequence[str]) -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser()
    for name in ("ingestion_bucket", "processed_bucket", "database"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--mode", choices=("transform", "maintain", "list", "replay"), default="transform")
    parser.add_argument("--keep_days", type=int, default=7)
    parser.add_argument("--from", type=int, dest="first", default=0)
    parser.add_argument("--to", type=int, dest="last", default=0)
    parser.add_argument("--into", default="")
    options, _ = parser.parse_known_args(arguments)
    client = boto3.client("s3")
    ingestion, processed = Bucket(client, options.ingestion_bucket), Bucket(client, options.processed_bucket)
    if options.mode == "maintain":
        lake = Lake(_session(), options.database, processed.name)
        maintain(lake, newest_publication_number(processed), options.keep_days, _log)
    elif options.mode == "list":
        list_files(Lake(_session(), options.database, processed.name), processed, _log)
    elif options.mode == "replay":
        check_replay(options.database, options.first, options.last, options.into)
        glue = boto3.client("glue")
        replay(_session(), ingestion, processed, glue, options.first, options.last, options.into, _log)
    else:
        _transform(ingestion, processed, options.database)


def _transform(ingestion: Bucket, processed: Bucket, database: str) -> None:
    """Publish every whole batch that has no publication."""
    place: Workplace | None = None
    while True:
        published = newest_publication_number(processed)
        manifest = next(whole_batches(ingestion, published), None)
        if manifest is None:
            break
        if place is None:
            spark = _session()
            place = Workplace(spark, ingestion, processed, Lake(spark, database, processed.name))
        started = time.monotonic()
        try:
            publish(place, manifest, read_publication(processed, published) if published else None, _log)
        except OvertakenError as error:
            if newest_publication_number(processed) == published:
                raise
            _log(str(error))
        else:
            _log(f"batch {manifest.batch}: published after {time.monotonic() - started:.1f} s")
    if place is None:
        _log("nothing pending")


def _session() -> SparkSession:
    return SparkSession.builder.appName("totesys-transform").getOrCreate()


def _log(message: str) -> None:
    print(message, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
