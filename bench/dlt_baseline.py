"""The same table read by dlt's ``sql_database`` source into CSV files: an optional baseline.

It runs in an environment of its own (``bench/dlt-requirements.txt``), so it imports nothing of the platform.
"""

import json
import resource
import sys
import time

import dlt
from dlt.sources.sql_database import sql_table


def main(url: str, directory: str) -> None:
    """Load ``sales_order`` from `url` into `directory`; print seconds and peak memory in MiB."""
    started = time.monotonic()
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=f"{directory}/state",
        destination=dlt.destinations.filesystem(bucket_url=f"file://{directory}/out"),
        dataset_name="bench",
    )
    table = sql_table(
        credentials=url.replace("postgresql://", "postgresql+psycopg://"),
        table="sales_order",
        backend="pyarrow",
        chunk_size=100_000,
    )
    pipeline.run(table, loader_file_format="csv")
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(json.dumps({"seconds": time.monotonic() - started, "peak": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
