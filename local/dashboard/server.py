"""Starting the live page."""

import os
import socket
import sys
from pathlib import Path

from local.errors import LocalError
from local.home import ROOT, Home

HOST = "127.0.0.1"
DEFAULT_PORT = 8501
APP = Path(__file__).with_name("app.py")


def check_port(port: int) -> None:
    """Check that nothing listens on a port.

    Raises
    ------
    LocalError
        When something does, or the port may not be used.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise LocalError(f"Port {port} may not be used. Choose one above 1023: --port {DEFAULT_PORT}") from None
        except OSError:
            other = port + 1 if port < 65535 else DEFAULT_PORT
            raise LocalError(
                f"Port {port} is in use. End what listens there, or choose another: --port {other}"
            ) from None


def serve(home: Home, port: int, *, open_browser: bool) -> None:
    """Become the server of the live page, until Ctrl-C; this process ends with it.

    Raises
    ------
    LocalError
        When the platform was never started, or the port is in use.
    """
    home.platform()
    check_port(port)
    command = [sys.executable, "-m", "streamlit", "run", str(APP), "--server.port", str(port)]
    command += ["--server.headless", "false" if open_browser else "true", "--", str(home.directory)]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": path})  # noqa: S606 - our own command
