"""Start MiniStack with our additions. Private names are touched, so the version is guarded."""

import signal
import sys
from importlib import metadata

from local.emulator import athena, cloudformation, glue, iam

VERSION = "1.5.33"


def main() -> None:
    """Add what is missing and serve until told to stop."""
    found = metadata.version("ministack")
    if found != VERSION:
        sys.exit(
            f"MiniStack is {found}, the local platform was written for {VERSION}: install the pinned requirements."
        )
    import ministack.app as app

    athena.install()
    cloudformation.install()
    glue.install()
    iam.install()

    def enforce_iam(*_: object) -> None:
        app.AUTH = True

    signal.signal(signal.SIGUSR1, enforce_iam)
    app.main()


if __name__ == "__main__":
    main()
