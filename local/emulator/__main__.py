"""Start MiniStack with our additions. Private names are touched, so the version is guarded."""

import signal
import sys
import threading
from importlib import metadata

from local.emulator import (
    athena,
    cloudformation,
    cloudwatch,
    executions,
    function_logs,
    functions,
    glue,
    iam,
    roles,
    s3,
)
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
    function_logs.install()
    functions.install()
    prepare_a_run = glue.install()
    executions.install(when_over=prepare_a_run)
    iam.install()
    roles.install()
    s3.install()
    let_schedules_fire = scheduler.install()

    def deployed(*_: object) -> None:
        """Enforce IAM, let schedules fire and prepare runs from now on; keep what was deployed even if this process is killed."""
        app.AUTH = True
        let_schedules_fire()
        threading.Thread(target=prepare_a_run, daemon=True).start()
        threading.Thread(target=lambda: app.save_all(app._build_persistence_save_dict()), daemon=True).start()

    signal.signal(signal.SIGUSR1, deployed)
    app.main()


if __name__ == "__main__":
    main()
