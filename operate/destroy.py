"""Destroying a deployment: with its data, or the stacks alone."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial

from rich.console import Console
from rich.progress import Progress

from operate.buckets import empty
from operate.deployment import ROOT, Deployment
from operate.errors import OperateError
from operate.inventory import KEY_DAYS, Inventory, as_table, take_inventory

Ask = Callable[[str], str]


def destroy(deployment: Deployment, *, stacks_only: bool, cdk: list[str], ask: Ask, console: Console) -> None:
    """Say what will be deleted, ask for the environment's name, and delete it.

    What writes is deleted first, then the buckets are emptied, then the rest is deleted: nothing writes to an emptied bucket. It
    can be run again, when it was interrupted or something failed.

    Parameters
    ----------
    stacks_only
        Whether data stays: for environments that keep it.
    cdk
        The CDK CLI's command.
    ask
        Gets the question, returns what was typed.

    Raises
    ------
    OperateError
        When the settings do not allow it, stacks are protected, another name was typed, or the CLI fails.
    """
    settings = deployment.settings
    _check_allowed(deployment, stacks_only)
    inventory = take_inventory(deployment)
    if inventory.is_empty or (stacks_only and not inventory.stacks):
        console.print(f"There is nothing of {settings.prefix} in account {deployment.account}, {deployment.region}.")
        return
    _check_unprotected(deployment, inventory)
    place = f"account {deployment.account}, {deployment.region}"
    console.print(as_table(inventory, f"Will be deleted in {place}", with_data=not stacks_only))
    if ask(f"Type the environment's name to delete this ({settings.environment})") != settings.environment:
        raise OperateError("That is not the environment's name. Nothing was deleted.")
    if stacks_only:
        _cdk(deployment, cdk, "--all")
        return
    _cdk(deployment, cdk, f"{settings.prefix}-pipeline")  # and what depends on it
    _empty_all(deployment, inventory, console)
    _cdk(deployment, cdk, "--all")
    _delete_the_rest(deployment)


def _check_allowed(deployment: Deployment, stacks_only: bool) -> None:
    settings = deployment.settings
    if settings.keep_data and not stacks_only:
        raise OperateError(
            f"{settings.environment} keeps its data (keep_data). Nothing was deleted. To delete the stacks and keep the data: "
            f"make destroy ENV={settings.environment} STACKS=1. To give the data up: docs/deploying.md"
        )
    if stacks_only and not settings.keep_data:
        raise OperateError(
            f"{settings.environment} does not keep its data (keep_data is off): deleting the stacks deletes it. Nothing was "
            f"deleted. Leave out STACKS=1"
        )


def _check_unprotected(deployment: Deployment, inventory: Inventory) -> None:
    if inventory.protected:
        raise OperateError(
            f"{', '.join(inventory.protected)} refuse to be deleted (termination protection). Nothing was deleted. Set "
            f"termination_protection to false for {deployment.settings.environment} in cdk.json and deploy once: docs/deploying.md"
        )


def _empty_all(deployment: Deployment, inventory: Inventory, console: Console) -> None:
    s3 = deployment.client("s3")
    with Progress(console=console) as progress:
        for bucket, found in inventory.buckets.items():
            s3.put_bucket_logging(
                Bucket=bucket, BucketLoggingStatus={}
            )  # or the log of emptying it would come after it
            task = progress.add_task(bucket, total=found.versions)
            empty(s3, bucket, partial(progress.advance, task))


def _delete_the_rest(deployment: Deployment) -> None:
    """Delete what no stack had: databases of replays, and all that an earlier deployment kept."""
    left, s3 = take_inventory(deployment), deployment.client("s3")
    for name in left.buckets:
        empty(s3, name)
        s3.delete_bucket(Bucket=name)
    for name in left.databases:
        deployment.client("glue").delete_database(Name=name)
    for name in left.secrets:
        deployment.client("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    if left.key:
        kms = deployment.client("kms")
        kms.schedule_key_deletion(KeyId=left.key, PendingWindowInDays=KEY_DAYS)
        kms.delete_alias(AliasName=f"alias/{deployment.settings.prefix}")


def _cdk(deployment: Deployment, cdk: list[str], which: str) -> None:
    settings = deployment.settings
    context = {"env": settings.environment, "account": deployment.account, "region": str(deployment.region)}
    arguments = [part for name, value in context.items() for part in ("--context", f"{name}={value}")]
    command = [*cdk, "destroy", which, "--force", "--app", f"{sys.executable} app.py", *arguments]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise OperateError(
            "The CDK CLI did not delete every stack; its own message is above. What is deleted is gone. Run the command again: it "
            "goes on where it stopped. When something was written to a bucket meanwhile, that empties it once more."
        )
