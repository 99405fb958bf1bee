"""Whose certificates are believed: the file of authorities that libpq is given.

libpq's own word for the system's authorities, ``sslrootcert=system``, believes nobody in AWS Lambda: the OpenSSL inside
psycopg's wheel looks for them where no machine has any. And no system has Amazon's authorities for RDS. So they are put
together here: those of RDS, which come with the function, and those of the system.
"""

import hashlib
import os
import tempfile
from pathlib import Path

import botocore

from contracts.tls import TlsMode

#: Amazon's authorities for RDS, Aurora and RDS Proxy in all regions; ``make rds-authorities`` writes them.
RDS_AUTHORITIES = Path(__file__).with_name("rds_authorities.pem")
#: Where a system has the authorities that it trusts: Amazon Linux, which is the Lambda runtime; Debian; Alpine and macOS.
SYSTEM_FILES = ("/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem")


def trusted_authorities(tls: TlsMode, own: str | None) -> Path | None:
    """Return a file with the authorities that may sign a server's certificate, or None where it need not be signed.

    Parameters
    ----------
    own
        PEM text from the secret. Then only these are believed. `TlsMode.VERIFY_CA` has no others.
    """
    if own:
        return _written(own)
    if tls is TlsMode.VERIFY_FULL:
        return _written(RDS_AUTHORITIES.read_text("utf-8") + _system_file().read_text("utf-8"))
    return None


def _system_file() -> Path:
    """Return the file that ``SSL_CERT_FILE`` names, or the system's own, or that of botocore, which is always there."""
    named = os.environ.get("SSL_CERT_FILE")
    for candidate in (*([named] if named else []), *SYSTEM_FILES):
        if Path(candidate).is_file():
            return Path(candidate)
    return Path(botocore.__file__).with_name("cacert.pem")


def _written(text: str) -> Path:
    """Write certificates where libpq can read them; the same text always goes to the same file, and nobody reads half of it."""
    file = Path(tempfile.gettempdir()) / f"ca-{hashlib.sha256(text.encode()).hexdigest()[:16]}.pem"
    with tempfile.NamedTemporaryFile("w", dir=file.parent, encoding="utf-8", delete=False) as written:
        written.write(text)
    Path(written.name).replace(file)
    return file
