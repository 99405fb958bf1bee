"""How a database server's identity is checked."""

from enum import StrEnum


class TlsMode(StrEnum):
    """How the server's identity is checked; libpq's ``sslmode``."""

    VERIFY_FULL = "verify-full"
    VERIFY_CA = "verify-ca"
    REQUIRE = "require"
    PREFER = "prefer"
    DISABLE = "disable"
