"""Fixtures that every layer may use. Servers start when the first test asks for them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from pyspark.sql import SparkSession

from lambdas import clients
from local.spark.jvm import spark_environment
from local.spark.settings import write_spark_defaults
from tests.support.pipeline import Pipeline, Servers, environment, start_servers
from tests.support.samples import manifest, publication
from tests.support.scheduling import ByLayer

# What is random takes as long as the machine is busy.
hypothesis.settings.register_profile("totesys", deadline=None)
hypothesis.settings.load_profile("totesys")
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "test")
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")


@pytest.hookimpl(optionalhook=True)  # nobody asks where one process runs all
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByLayer:
    return ByLayer(config, log)


@pytest.fixture
def sample_manifest():
    return manifest(1)


@pytest.fixture
def sample_publication():
    return publication(1)


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory for servers; short, because of what lies in it."""
    yield tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def servers(scratch: Path) -> Iterator[Servers]:
    """The AWS emulator and two PostgreSQL servers; AWS clients of this process talk to the emulator."""
    started = start_servers(scratch)
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in environment(started.endpoint).items():
            patch.setenv(name, value)
        clients.client.cache_clear()
        os.register_at_fork(after_in_child=clients.client.cache_clear)  # a process has connections of its own
        yield started
    started.aws.stop()
    started.source.stop()
    started.warehouse.stop()


@pytest.fixture
def pipeline(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """A pipeline over a seeded source."""
    return Pipeline(servers, monkeypatch)


@pytest.fixture(scope="session")
def spark(servers: Servers, scratch: Path) -> Iterator[SparkSession]:
    """The one Spark session, with the laptop's settings."""
    home = servers.home
    write_spark_defaults(
        home.spark,
        endpoint=servers.endpoint,
        warehouse="s3://none/star",
        scratch=home.tmp,
    )
    with pytest.MonkeyPatch.context() as patch:
        variables = spark_environment(home.spark)
        # It runs for long: a heap that begins small would be collected as a whole again and again.
        variables["SPARK_SUBMIT_OPTS"] += " -Xms768m -XX:NewSize=512m"
        for name, value in variables.items():
            patch.setenv(name, value)
        session = SparkSession.builder.appName("tests").getOrCreate()
        yield session
        session.stop()
