"""Spark settings of the laptop: everything that on AWS is Glue's own, in one generated file.

The job itself has no local settings. Iceberg talks to the emulator's Glue and S3.
"""

import os
from pathlib import Path

from contracts.protocol.catalog import CATALOG
from local.spark.class_path import class_path
from local.spark.jvm import DEFAULTS

_LOGGING = "log4j2.properties"
_FIRST_COMPILER = "-XX:TieredStopAtLevel=1"
#: The second compiler takes a method after five times what the JVM would wait for by itself.
_OPTIMISED = (
    "-XX:Tier4InvocationThreshold=25000 -XX:Tier4MinInvocationThreshold=3000 -XX:Tier4CompileThreshold=75000 "
    "-XX:Tier4BackEdgeThreshold=200000"
)


def write_spark_defaults(
    directory: Path,
    *,
    endpoint: str,
    warehouse: str,
    scratch: Path,
    optimise: bool = False,
) -> None:
    """Write the settings of a platform's Spark sessions.

    Parameters
    ----------
    directory
        Where; `spark_environment` makes a process use them.
    endpoint
        Of the emulator.
    warehouse
        Where the catalog puts tables whose database has no location.
    scratch
        For temporary files.
    optimise
        Whether the JVM optimises what it runs very often: worth it from about a million rows; below, its first compiler
        alone is quicker.
    """
    jars, prefix = class_path()
    catalog = f"spark.sql.catalog.{CATALOG}"
    cores = os.cpu_count() or 1
    settings = {
        "spark.master": f"local[{cores}]",
        "spark.ui.enabled": "false",
        # Spark describes every plan and keeps all that it did, for a user interface that is off: the less, the better.
        "spark.sql.ui.explainMode": "simple",
        "spark.sql.debug.maxToStringFields": "1",
        "spark.sql.ui.retainedExecutions": "20",
        "spark.ui.retainedJobs": "20",
        "spark.ui.retainedStages": "20",
        "spark.ui.retainedTasks": "200",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "1536m",
        # A small run on two cores spends its time on compiling and on collectors that wait for each other. Room for code
        # is asked for, because with the first compiler alone 48 MiB are all, and when they are full all is interpreted.
        "spark.driver.extraJavaOptions": f"{_OPTIMISED if optimise else _FIRST_COMPILER} -XX:ReservedCodeCacheSize=512m "
        f"-XX:+UseSerialGC -XX:+PerfDisableSharedMem -Djava.io.tmpdir={scratch} "
        f"-Dlog4j2.configurationFile={(directory / _LOGGING).as_uri()}",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.shuffle.partitions": str(cores),
        # Planning every stage anew costs more here than it gains: there are as many partitions as cores.
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.catalogImplementation": "in-memory",
        # On the JVM's own class path, because it archives no classes of others.
        "spark.driver.extraClassPath": ":".join(jars),
        "spark.sql.extensions": f"{prefix}org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        catalog: f"{prefix}org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.catalog-impl": f"{prefix}org.apache.iceberg.aws.glue.GlueCatalog",
        f"{catalog}.io-impl": f"{prefix}org.apache.iceberg.aws.s3.S3FileIO",
        f"{catalog}.warehouse": warehouse,
        f"{catalog}.glue.endpoint": endpoint,
        f"{catalog}.s3.endpoint": endpoint,
        f"{catalog}.s3.path-style-access": "true",
        "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    }
    directory.mkdir(parents=True, exist_ok=True)
    (directory / DEFAULTS).write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    (directory / _LOGGING).write_text(
        "rootLogger.level = error\nrootLogger.appenderRef.stderr.ref = stderr\nappender.stderr.type = Console\n"
        "appender.stderr.name = stderr\nappender.stderr.target = SYSTEM_ERR\nappender.stderr.follow = true\n"
        "appender.stderr.layout.type = PatternLayout\n"
        "appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n\n"
    )
