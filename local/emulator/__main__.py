"""Start MiniStack with our additions. Private names are touched, so the version is guarded."""

import signal
import sys
import threading
from importlib import metadata

from local.emulator import athena, cloudformation, cloudwatch, functions, glue, iam, roles, s3
from local.emulator.scheduler import service as scheduler

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
    cloudwatch.install()
    functions.install()
    glue.install()
    iam.install()
    roles.install()
    s3.install()
    let_schedules_fire = scheduler.install()

    def deployed(*_: object) -> None:
        """Enforce IAM and let schedules fire from now on, and keep what was deployed even if this process is killed."""
        app.AUTH = True
        let_schedules_fire()
        threading.Thread(target=lambda: app.save_all(app._build_persistence_save_dict()), daemon=True).start()

    signal.signal(signal.SIGUSR1, deployed)
    app.main()


if __name__ == "__main__":
    main()
