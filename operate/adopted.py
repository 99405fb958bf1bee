"""The settings by which a deployment takes over what an earlier one of the same name has left."""

from typing import Any

from operate.buckets import is_there
from operate.deployment import Deployment
from operate.errors import OperateError


def adopted(deployment: Deployment) -> dict[str, Any]:
    """Return the settings that the next deployment needs, once the stacks are deleted.

    A secret that is gone is left out: the deployment makes another.

    Raises
    ------
    OperateError
        When a bucket, the lake's database or the key is gone: the platform would not work with the rest.
    """
    settings, s3 = deployment.settings, deployment.client("s3")
    key = deployment.key_arn()
    missing = [f"bucket {name}" for name in deployment.buckets if not is_there(s3, name)]
    missing += [] if settings.database in deployment.databases() else [f"database {settings.database}"]
    missing += [] if key else [f"key alias/{settings.prefix}"]
    if missing:
        raise OperateError(
            f"Not all is left of {settings.prefix} in account {deployment.account}, {deployment.region}: there is no "
            f"{', no '.join(missing)}. Nothing was changed. When nothing at all is left, deploy without adopt; else restore what is "
            f"missing, or delete the rest: docs/deploying.md"
        )
    secrets = {f"{name}_secret_arn": deployment.secret_arn(name) for name in ("source", "warehouse")}
    return {"adopt": True, "key_arn": key, **{name: arn for name, arn in secrets.items() if arn}}
