"""``python -m local.spark.practice``: run the job over made-up batches in the JVM of a Spark process that waits.

A JVM that has never run the job loads some thousands of classes for its first batch, and interprets them. Only the JVM practises:
this is a process of its own, which `local.spark.waiting` starts beside itself and kills when a run is there. What Python knows of
the practice ends with it, whichever step it has come to. The lake lies in an account of the emulator that nobody else uses, and
the next practice removes what is left of it.
"""

import os
from typing import Any

import boto3
from pyspark.java_gateway import launch_gateway

from contracts.protocol.bucket import Bucket
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.table import Reading
from glue_jobs import transform
from local.made_up import LakeNames, create_lake, put_batch
from local.spark.waiting import PRACTISED, session_in

#: Rows of a table in the first batch: as few as are interpreted.
_FEW = 40
#: How many rows each further batch adds to a table that is not read whole: some, then as many as two years of the source have.
_ADDED = (10, 10, 15_000, 10, 10)
#: How many rows each further batch changes beside them.
_CHANGED = 20


def main() -> None:
    """Practise once."""
    session = boto3.Session()
    s3, glue = session.client("s3"), session.client("glue")
    own = f"practice-{os.getpid()}"  # what the JVM still does for a practice that was killed is done elsewhere
    names = LakeNames(f"{own}-ingestion", f"{own}-processed", own.replace("-", "_"))
    _remove_lakes(s3, glue)
    gateway: Any = launch_gateway()  # type: ignore[no-untyped-call]
    session_in(gateway)  # the job finds it
    create_lake(s3, glue, names)
    ingestion = Bucket(s3, names.ingestion)
    counts = dict.fromkeys(SOURCE_TABLES, _FEW)
    put_batch(ingestion, 1, dict.fromkeys(SOURCE_TABLES, range(1, _FEW + 1)), counts)
    transform.main(names.arguments)
    changing = [name for name, table in SOURCE_TABLES.items() if table.reading != Reading.WHOLE]
    for batch, added in enumerate(_ADDED, 2):
        changed = {n: (*range(1, _CHANGED + 1), *range(counts[n] + 1, counts[n] + added + 1)) for n in changing}
        counts |= {name: counts[name] + added for name in changing}
        put_batch(ingestion, batch, changed, counts)
        transform.main(names.arguments)
    _remove_lakes(s3, glue)
    system = gateway.jvm.java.lang.System
    system.gc()  # what waits gives its memory back
    system.setProperty(PRACTISED, "yes")
    print("practised")


def _remove_lakes(s3: Any, glue: Any) -> None:
    """Remove all that the account has: one process at a time practises."""
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            for item in page.get("Contents", ()):
                s3.delete_object(Bucket=bucket["Name"], Key=item["Key"])
        s3.delete_bucket(Bucket=bucket["Name"])
    for database in glue.get_databases()["DatabaseList"]:
        for table in glue.get_tables(DatabaseName=database["Name"])["TableList"]:
            glue.delete_table(DatabaseName=database["Name"], Name=table["Name"])
        glue.delete_database(Name=database["Name"])


if __name__ == "__main__":
    main()
