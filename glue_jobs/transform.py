"""Glue job ``transform``: transform every pending batch, in order; and the lake's maintenance.

Arguments
---------
--ingestion_bucket, --processed_bucket, --database
    Where batches come from, where publications go, and the lake's Glue database. Other arguments,
    which Glue adds, are ignored.
--mode
    ``transform`` (a batch that cannot be transformed gives way to the next full one); ``maintain`` (compact files, expire
    snapshots older than ``--keep_days`` that nobody needs); ``list`` (the lake's files, for a rebuild of the warehouse); or
    ``replay`` (batches ``--from`` to ``--to`` into the database ``--into``); or ``drop_columns`` (``--columns``, which the contract
    has given up).
"""

import argparse
import sys
from collections.abc import Sequence

import boto3
from pyspark.sql import SparkSession

from contracts.protocol.bucket import Bucket
from contracts.protocol.steps import COLUMNS, JobMode
from glue_jobs.context import Context
from glue_jobs.java_names import look_up_once
from glue_jobs.lake.maintenance import MaintainedLake
from glue_jobs.maintenance.drop_columns import drop_columns
from glue_jobs.maintenance.lake_listing import list_files
from glue_jobs.maintenance.maintain import maintain
from glue_jobs.maintenance.replay import Replay, replay
from glue_jobs.pending import transform_pending
from glue_jobs.spark_errors import SPARK_ERRORS, explained

#: For every step of a plan, Spark infers conditions from those below. Of steps with dozens of computed columns that is half of its
#: planning, and the conditions that help to read less are said already.
_NOTHING_INFERRED = ("spark.sql.constraintPropagation.enabled", "false")


def main(arguments: Sequence[str]) -> None:
    """Do what the arguments say.

    Raises
    ------
    TransformError
        When Spark fails; its own error may quote data.
    """
    parser = argparse.ArgumentParser()
    for name in ("ingestion_bucket", "processed_bucket", "database"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--mode", choices=[*JobMode], default=JobMode.TRANSFORM)
    parser.add_argument("--keep_days", type=int, default=7)
    parser.add_argument("--from", type=int, dest="first", default=0)
    parser.add_argument("--to", type=int, dest="last", default=0)
    parser.add_argument("--into", default="")
    parser.add_argument(f"--{COLUMNS}", default="")
    options, _ = parser.parse_known_args(arguments)
    try:
        _run(options)
    except SPARK_ERRORS as error:
        raise explained(error, f"Mode {options.mode}") from None


def _run(options: argparse.Namespace) -> None:
    client = boto3.client("s3")
    ingestion, processed = Bucket(client, options.ingestion_bucket), Bucket(client, options.processed_bucket)
    if options.mode == JobMode.MAINTAIN:
        lake = MaintainedLake(_session(), options.database, processed.name)
        maintain(lake, processed, options.keep_days, _log)
    elif options.mode == JobMode.LIST:
        list_files(MaintainedLake(_session(), options.database, processed.name), processed, _log)
    elif options.mode == JobMode.DROP_COLUMNS:
        drop_columns(MaintainedLake(_session(), options.database, processed.name), options.columns, _log)
    elif options.mode == JobMode.REPLAY:
        asked = Replay(options.first, options.last, options.into)
        asked.check(options.database)
        replay(_session(), ingestion, processed, asked, _log)
    else:
        _transform(ingestion, processed, options.database)


def _transform(ingestion: Bucket, processed: Bucket, database: str) -> None:
    """Publish what is pending; a session is made when there is something."""
    contexts: list[Context] = []

    def context() -> Context:
        if not contexts:
            spark = _session()
            contexts.append(Context(spark, ingestion, processed, MaintainedLake(spark, database, processed.name)))
        return contexts[0]

    transform_pending(ingestion, processed, context, _log)
    if not contexts:
        _log("nothing pending")


def _session() -> SparkSession:
    spark = SparkSession.builder.appName("totesys-transform").getOrCreate()
    spark.conf.set(*_NOTHING_INFERRED)
    return look_up_once(spark)


def _log(message: str) -> None:
    print(message, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
