"""``python -m local.spark.class_archive``: make the JVM's archive of the classes of Spark and Iceberg.

A JVM that reads its classes from an archive neither parses nor verifies them: a small run of the job takes a quarter less
time. Which classes to archive is told by the job itself, in two batches of one made-up row a table.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from contracts.protocol.bucket import Bucket
from contracts.protocol.catalog import location
from contracts.tables.source import SOURCE_TABLES
from local.errors import LocalError, ProcessFailedError
from local.home import ROOT, Home
from local.made_up import LakeNames, create_lake, put_batch
from local.servers.emulator_process import REGION, Aws, client, credentials
from local.servers.processes import tail
from local.servers.tools import java_home
from local.spark.jvm import class_archive, spark_environment
from local.spark.settings import write_spark_defaults

NAMES = LakeNames("classes-ingestion", "classes-processed", "classes")
#: How long the JVM may live on after its job.
EXIT_SECONDS = 90


def main() -> None:
    """Make the archive, unless it is there."""
    archive = class_archive()
    if archive.exists():
        return
    java = java_home()
    if java.is_relative_to(sys.prefix):
        # The Java from a wheel comes without the archive of its own classes, to which this one only adds.
        subprocess.run([str(java / "bin" / "java"), "-Xshare:dump"], capture_output=True, check=False)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        made = Path(scratch) / archive.name
        _run_job(Path(scratch), made)
        os.replace(made, archive)


def _run_job(scratch: Path, archive: Path) -> None:
    """Run the job; its JVM writes the archive as it ends."""
    home = Home(scratch / "home")
    home.create()
    aws = Aws(home)
    endpoint = aws.start()
    try:
        _prepare(home, endpoint)
        log = home.logs / "job.log"
        command = [sys.executable, "-m", "glue_jobs.transform", *NAMES.arguments]
        environment = {
            **os.environ,
            **credentials(),
            **spark_environment(home.spark),
            "AWS_ENDPOINT_URL": endpoint,
            "SPARK_SUBMIT_OPTS": f"-XX:ArchiveClassesAtExit={shlex.quote(str(archive))}",
        }
        with log.open("w") as stream:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=stream, stderr=stream, start_new_session=True
            )
            code = process.wait()
        _wait_for_group(process.pid)
        if code or not archive.exists():
            raise ProcessFailedError(f"The job that tells which classes to archive failed:\n{tail(log)}")
    finally:
        aws.stop()


def _wait_for_group(group: int) -> None:
    """Wait until a job's JVM, which writes the archive as it ends, is gone too."""
    deadline = time.monotonic() + EXIT_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise ProcessFailedError(f"The job's JVM did not end within {EXIT_SECONDS} s.")


def _prepare(home: Home, endpoint: str) -> None:
    platform = {"endpoint": endpoint, "region": REGION}
    s3 = client(platform, "s3")
    create_lake(s3, client(platform, "glue"), NAMES)
    for batch in (1, 2):
        put_batch(
            Bucket(s3, NAMES.ingestion), batch, dict.fromkeys(SOURCE_TABLES, (1,)), dict.fromkeys(SOURCE_TABLES, 1)
        )
    write_spark_defaults(
        home.spark,
        endpoint=endpoint,
        warehouse=location(NAMES.processed),
        scratch=home.tmp,
    )


if __name__ == "__main__":
    try:
        main()
    except (LocalError, OSError, BotoCoreError, ClientError) as failed:
        print(f"Without an archive of classes, jobs start some seconds later. {failed}", file=sys.stderr)
