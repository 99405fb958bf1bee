"""A headless Chromium: the one that is installed, or the one that comes as a package of npm."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cdk_app.jsii_node import supported_node
from local.errors import ToolMissingError
from local.home import CACHE, ROOT
from local.servers.tools import install_packages

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: Names under which an installed one is found.
INSTALLED = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
PACKAGE = ROOT / "node_modules" / "@sparticuz" / "chromium"
#: Nothing but the page that is asked for is requested from anywhere.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
_UNPACK = """
import chromium, { inflate } from "@sparticuz/chromium";
await chromium.executablePath();
await inflate(process.argv[1]);
"""
#: Where nothing else is asked for, the package's own font is taken: pictures look the same on every machine.
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>{fonts}</dir>
  <alias binding="strong"><family>system-ui</family><prefer><family>Open Sans</family></prefer></alias>
  <alias binding="strong"><family>sans-serif</family><prefer><family>Open Sans</family></prefer></alias>
</fontconfig>
"""


@dataclass(frozen=True, slots=True)
class Chromium:
    """What to start, and the variables that it needs beside those that are set."""

    executable: Path
    variables: dict[str, str] = field(default_factory=dict)


def find_chromium() -> Chromium:
    """Return an installed Chromium, or else the package's, which is unpacked once into ``.cache``.

    Raises
    ------
    ToolMissingError
        When there is none and the package cannot be installed or unpacked.
    """
    for name in INSTALLED:
        if found := shutil.which(name):
            return Chromium(Path(found))
    return _packaged()


def _packaged() -> Chromium:
    if not PACKAGE.exists():
        install_packages()
    place = CACHE / "chromium"
    executable, libraries = place / "chromium", place / "al2023" / "lib"
    if not _is_unpacked(place):
        _unpack(place)
    variables = {"FONTCONFIG_FILE": str(_fonts(place))}
    if _lacks_libraries(executable):
        before = os.environ.get("LD_LIBRARY_PATH")
        variables["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, (str(libraries), before)))
    return Chromium(executable, variables)


def _unpack(place: Path) -> None:
    """Unpack the package's archives, which go into the directory for temporary files, all of them or nothing."""
    scratch = place.with_name(f"{place.name}.{os.getpid()}")
    scratch.mkdir(parents=True, exist_ok=True)
    command = [str(supported_node()), "--input-type=module", "--eval", _UNPACK, str(PACKAGE / "bin" / "al2023.tar.br")]
    variables = {**os.environ, "TMPDIR": str(scratch)}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(scratch, ignore_errors=True)
        raise ToolMissingError(
            f"There is no chromium on the PATH, and the one of npm cannot be unpacked:\n{done.stderr}"
        )
    if _is_unpacked(place):  # by another process meanwhile, which may use it already
        shutil.rmtree(scratch)
        return
    shutil.rmtree(place, ignore_errors=True)
    os.replace(scratch, place)


def _is_unpacked(place: Path) -> bool:
    return (place / "chromium").exists() and (place / "al2023" / "lib").exists()


def _fonts(place: Path) -> Path:
    """Return the configuration by which the package's fonts are found beside the machine's."""
    file = place / "fonts.conf"
    if not file.exists():
        file.write_text(_FONTS.format(fonts=place / "fonts"), "utf-8")
    return file


def _lacks_libraries(executable: Path) -> bool:
    done = subprocess.run(["ldd", executable], capture_output=True, text=True, check=False)
    return "not found" in done.stdout


@contextmanager
def headless_browser() -> Iterator["Browser"]:
    """Run a headless Chromium for as long as the context lasts.

    Raises
    ------
    ToolMissingError
        When there is none, or it does not start.
    """
    from playwright.sync_api import Error, sync_playwright

    chromium = find_chromium()
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=chromium.executable,
                args=[*ARGUMENTS],
                env={**os.environ, **chromium.variables},
            )
        except Error as error:
            raise ToolMissingError(
                f"{chromium.executable} does not start: {str(error).strip().splitlines()[0]}"
            ) from None
        try:
            yield browser
        finally:
            browser.close()
