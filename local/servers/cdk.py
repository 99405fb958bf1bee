"""The real CDK CLI against the emulator."""

import os
import subprocess
import sys
from pathlib import Path

from local.errors import ProcessFailedError
from local.home import CACHE, ROOT, Home
from local.servers.emulator_process import ACCOUNT, REGION, credentials
from local.servers.tools import cdk_command


class Cdk:
    """CDK commands for one home.

    Parameters
    ----------
    home
        Receives the assembly and the CLI's own files.
    endpoint
        Of the emulator.
    context
        Settings that differ from cdk.json's environment ``local``.
    """

    def __init__(self, home: Home, endpoint: str, context: dict[str, str]) -> None:
        self._home = home
        self._endpoint = endpoint
        self._context = {"env": "local", "account": ACCOUNT, "region": REGION, **context}

    def bootstrap(self) -> None:
        """Make the CLI's own bucket and roles."""
        self._call(
            ["bootstrap", f"aws://{ACCOUNT}/{REGION}"], cwd=self._home.cdk
        )  # no cdk.json there: nothing is synthesised

    def deploy(self) -> None:
        """Deploy every stack."""
        self.run("deploy", "--all", "--require-approval", "never", "--concurrency", "2")

    def destroy(self, which: str = "--all") -> None:
        """Destroy a stack with what depends on it, or every stack, as they were assembled last: that takes no synthesis."""
        self._call(["destroy", which, "--force", "--app", str(self._assembly)], cwd=ROOT)

    def run(self, *arguments: str) -> str:
        """Run one command.

        Returns
        -------
        str
            What it printed.

        Raises
        ------
        ProcessFailedError
            With the end of what it printed.
        """
        context = [part for name, value in self._context.items() for part in ("--context", f"{name}={value}")]
        app = f"{sys.executable} {ROOT / 'app.py'}"
        return self._call([*arguments, "--app", app, "--output", str(self._assembly), *context], cwd=ROOT)

    @property
    def _assembly(self) -> Path:
        return self._home.cdk / "assembly"

    def _call(self, arguments: list[str], cwd: Path) -> str:
        log = self._home.logs / f"cdk-{arguments[0]}.log"
        with log.open("w") as stream:
            done = subprocess.run(
                [*cdk_command(), *arguments],
                cwd=cwd,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                check=False,
            )
        output = log.read_text("utf-8", errors="replace")
        if done.returncode:
            end = "\n".join(output.splitlines()[-25:])
            raise ProcessFailedError(f"cdk {arguments[0]} failed (all of it: {log}):\n{end}")
        return output

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
        return {
            **kept,
            **credentials(),
            "HOME": str(self._home.tmp),
            "TMPDIR": str(self._home.tmp),
            "CDK_HOME": str(self._home.cdk),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(CACHE / "jsii"),
            "AWS_ENDPOINT_URL": self._endpoint,
            "AWS_ENDPOINT_URL_S3": self._endpoint,
            "NO_COLOR": "1",
            "CI": "1",
            "PATH": f"{Path(cdk_command()[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }
