"""Glue job ``transform``: bring every pending batch into the lake, in order.

Arguments
---------
--ingestion_bucket, --processed_bucket, --database
    Where batches come from, where publications go, and the lake's Glue database. Other arguments,
    which Glue adds, are ignored.
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
from glue_jobs.publish import publish
from glue_jobs.workplace import Workplace


def main(arguments: Sequence[str]) -> None:
    """Publish every whole batch that has no publication."""
    parser = argparse.ArgumentParser()
    for name in ("ingestion_bucket", "processed_bucket", "database"):
        parser.add_argument(f"--{name}", required=True)
    options, _ = parser.parse_known_args(arguments)
    client = boto3.client("s3")
    ingestion, processed = Bucket(client, options.ingestion_bucket), Bucket(client, options.processed_bucket)
    place: Workplace | None = None
    while True:
        published = newest_publication_number(processed)
        manifest = next(whole_batches(ingestion, published), None)
        if manifest is None:
            break
        if place is None:
            spark = SparkSession.builder.appName("totesys-transform").getOrCreate()
            place = Workplace(spark, ingestion, processed, Lake(spark, options.database, options.processed_bucket))
        started = time.monotonic()
        try:
            publish(place, manifest, read_publication(processed, published) if published else None, _log)
        except OvertakenError as error:
            if newest_publication_number(processed) == published:
                raise
            _log(str(error))
        _log(f"batch {manifest.batch}: published after {time.monotonic() - started:.1f} s")
    if place is None:
        _log("nothing pending")


def _log(message: str) -> None:
    print(message, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
