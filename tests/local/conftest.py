"""One deployed platform for all tests of this layer, over two databases of our own making."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import psycopg
import pytest

from local.demo import oracle
from local.home import ROOT
from local.servers.emulator_process import client
from local.servers.postgres import PostgresServer
from local.simulator.business import create_schema, seed


class Platform:
    """A home driven through the command line, as a user would."""

    def __init__(self, home: Path, source: PostgresServer, warehouse: PostgresServer) -> None:
        self.home, self.source, self.warehouse = home, source, warehouse
        #: The code that is run: the repository, or a copy of it.
        self.root = ROOT

    def start(self, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "local", *arguments, "--home", str(self.home)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SPARK_", "PYSPARK_"))}
        environment["LOCAL_SPARK_PRACTICE"] = "0"  # batch follows batch, and two cores are busy
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_hear_interrupts,
        )

    def run(self, *arguments: str, code: int = 0) -> SimpleNamespace:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=600)
        assert process.returncode == code, f"{arguments} ended with {process.returncode}:\n{out}\n{err}"
        return SimpleNamespace(out=out, err=err)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments).out)

    def batch(self) -> dict[str, Any]:
        return self.json("batch", "--json")

    @property
    def description(self) -> dict[str, str]:
        return json.loads((self.home / "platform.json").read_text())

    def document(self, bucket: str, key: str) -> dict[str, Any]:
        """Read a document of the batch protocol."""
        description = self.description
        answer = client(description, "s3").get_object(Bucket=description[bucket], Key=key)
        return json.loads(answer["Body"].read())

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.source.url) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def in_warehouse(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.warehouse.url) as connection:
            return connection.execute(statement).fetchall()

    def assert_equal(self) -> None:
        expected = oracle.source_rows(self.source.url)
        found = oracle.warehouse_rows(self.warehouse.url, ledger=self.description["ledger_schema"])
        assert oracle.differences(expected, found) == {}

    def processes(self, marker: str) -> list[psutil.Process]:
        """Processes of this home whose command line has `marker`."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or [])
            if marker in line and (str(self.home) in line or self._belongs(process)):
                found.append(process)
        return found

    def _belongs(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("TMPDIR", "").startswith(str(self.home))
        except psutil.Error:
            return False

    def kill(self, marker: str, seconds: float = 60) -> None:
        """Kill -9 the processes with `marker`, and their children, once there are any."""
        deadline = time.monotonic() + seconds
        while not (found := self.processes(marker)):
            assert time.monotonic() < deadline, f"no process with {marker}"
            time.sleep(0.05)
        for process in found:
            for victim in (*process.children(recursive=True), process):
                victim.send_signal(signal.SIGKILL)


def _hear_interrupts() -> None:
    """Undo what a shell does to commands that it starts in the background: they, and all that they start, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def _over_two_servers(directory: Path) -> Iterator[Platform]:
    """A home that is not up yet, over a seeded source and an empty warehouse."""
    servers = {
        name: PostgresServer(directory / name, password=f"secret-{name}", database=name)
        for name in ("source", "warehouse")
    }
    for server in servers.values():
        server.start()
    with psycopg.connect(servers["source"].url) as connection:
        create_schema(connection)
        seed(connection, days=10)
    platform = Platform(directory / "home", servers["source"], servers["warehouse"])
    platform.up = ("up", "--source", servers["source"].url, "--warehouse", servers["warehouse"].url)
    try:
        yield platform
    finally:
        if platform.home.exists():
            platform.run("destroy")
        for server in servers.values():
            server.stop()


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """`up --source --warehouse` over two seeded servers, after an `up` that was interrupted."""
    with _over_two_servers(tmp_path_factory.mktemp("platform")) as platform:
        interrupted = platform.start(*platform.up)
        while not (platform.home / "logs" / "cdk-bootstrap.log").exists():
            time.sleep(0.1)
        interrupted.send_signal(signal.SIGINT)
        _, platform.interruption = interrupted.communicate(timeout=120)
        platform.interruption_code = interrupted.returncode
        platform.left_running = [p.pid for p in platform.processes("")]
        platform.run(*platform.up)
        yield platform


@pytest.fixture
def own_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform for one test: what it deploys is not what the others expect."""
    with _over_two_servers(tmp_path_factory.mktemp("own")) as platform:
        platform.run(*platform.up)
        yield platform
