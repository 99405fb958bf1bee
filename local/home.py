"""The directory of one local platform: everything it writes lies in it."""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.errors import LocalError, PlatformDownError

#: The repository: code, node_modules and the cache of downloads.
ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"


class Home:
    """Paths and small state files of one platform.

    Parameters
    ----------
    directory
        Need not exist. Several homes live side by side.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.source = self.directory / "source"
        self.warehouse = self.directory / "warehouse"
        self.s3 = self.directory / "aws" / "s3"
        self.aws_state = self.directory / "aws" / "state"
        self.clock = self.directory / "aws" / "clock"
        self.firings = self.directory / "aws" / "firings.jsonl"
        self.spark = self.directory / "spark"
        self.tmp = self.directory / "tmp"
        self.logs = self.directory / "logs"
        self.cdk = self.directory / "cdk"
        self.platform_file = self.directory / "platform.json"
        self.state_file = self.directory / "state.json"

    def create(self) -> None:
        """Make the directories."""
        for path in (self.s3, self.aws_state, self.spark, self.tmp, self.logs, self.cdk):
            path.mkdir(parents=True, exist_ok=True)

    def platform(self) -> dict[str, str]:
        """Return ``platform.json``.

        Raises
        ------
        PlatformDownError
            When the platform was never started here.
        """
        try:
            return dict(json.loads(self.platform_file.read_text("utf-8")))
        except FileNotFoundError:
            raise PlatformDownError(
                f"There is no platform in {self.directory}. Start one: python -m local up --home {self.directory}"
            ) from None

    def state(self) -> dict[str, Any]:
        """Return what `up` remembered: whose databases are used, and the passwords of embedded ones."""
        return dict(json.loads(self.state_file.read_text("utf-8"))) if self.state_file.exists() else {}

    def write(self, file: Path, content: dict[str, Any]) -> None:
        """Write a state file whole or not at all, readable by its owner only."""
        descriptor, scratch = tempfile.mkstemp(dir=self.directory, prefix=file.name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=2)
        os.replace(scratch, file)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Let one command at a time start or stop the platform.

        Raises
        ------
        LocalError
            When another one is at it.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LocalError(
                    f"Another command starts or stops {self.directory}. Wait until it has ended."
                ) from None
            yield
