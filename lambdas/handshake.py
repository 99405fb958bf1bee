"""Why no TLS connection comes about: libpq says of every certificate only that its verification failed."""

import socket
import ssl
import struct
from enum import Enum
from pathlib import Path

from lambdas.secret import ConnectionDetails

#: What a client of PostgreSQL sends first when it wants TLS.
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_SECONDS = 10


class TlsProblem(Enum):
    """What is wrong, and what to do about it; names no host."""

    NO_TLS = "the server offers no TLS. Switch it on there"
    UNKNOWN_AUTHORITY = (
        "the server's certificate is of an authority that is not trusted. Store the PEM text of that authority in the "
        "secret, as ca_certificate"
    )
    EXPIRED = "the server's certificate has expired. Renew it at the server"
    NOT_YET_VALID = "the server's certificate is not valid yet. Correct the server's clock or its certificate"
    OTHER_NAME = (
        "the server's certificate is for another name than the host in the secret. Store a host name that the "
        "certificate has, or have a certificate made for this one"
    )


# Codes of OpenSSL, X509_V_ERR_…
_PROBLEMS = {
    9: TlsProblem.NOT_YET_VALID,
    10: TlsProblem.EXPIRED,
    **dict.fromkeys((18, 19, 20, 21), TlsProblem.UNKNOWN_AUTHORITY),
    **dict.fromkeys((62, 64), TlsProblem.OTHER_NAME),
}


def tls_problem(details: ConnectionDetails, authorities: Path | None, *, checks_name: bool) -> TlsProblem | None:
    """Shake hands with a server once more and return what is wrong, or None when that cannot be told.

    Nothing of the login is sent.

    Parameters
    ----------
    authorities
        Whose certificates are believed; None when any is.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = checks_name and authorities is not None
    if authorities is None:
        context.verify_mode = ssl.CERT_NONE
    try:
        if authorities is not None:
            context.load_verify_locations(authorities)
        with socket.create_connection((details.host, details.port), timeout=_SECONDS) as plain:
            plain.sendall(_SSL_REQUEST)
            if plain.recv(1) != b"S":
                return TlsProblem.NO_TLS
            context.wrap_socket(plain, server_hostname=details.host).close()
    except ssl.SSLCertVerificationError as error:
        return _PROBLEMS.get(error.verify_code)
    except OSError:
        pass
    return None
