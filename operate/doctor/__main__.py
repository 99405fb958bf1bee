"""Command line: ``python -m operate.doctor --env dev``, or ``make doctor ENV=dev``."""

import json
import sys
from pathlib import Path
from typing import Annotated

import boto3
import typer
from botocore.exceptions import BotoCoreError
from rich.console import Console

from cdk_app.settings import SettingsError
from operate.doctor.examination import CHECKS, examine
from operate.doctor.finding import Level
from operate.doctor.kinds import Kind
from operate.doctor.place import PlaceError, cdk_arguments, local_platform, settings_of
from operate.doctor.platform import Aws
from operate.doctor.report import as_json, count, summary, table
from operate.doctor.running import Result

console = Console(stderr=True)
#: Exit codes: something is wrong with the deployment, or with what was typed.
PROBLEM, USAGE = 1, 2


def main(
    env: Annotated[str, typer.Option(help="Environment in cdk.json.")] = "dev",
    home: Annotated[Path | None, typer.Option(help="Directory of a platform on this machine; else AWS.")] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    is_before_deploy: Annotated[
        bool, typer.Option("--before-deploy", help="Look only at that without which no deployment may begin.")
    ] = False,
    arguments: Annotated[
        str, typer.Option("--cdk-arguments", envvar="CDK_ARGUMENTS", help="What the CDK is given; settings in it win.")
    ] = "",
) -> None:
    """Look at all that a deployment needs and say what is wrong. Nothing is changed. Ends with 1 when there is a problem."""
    try:
        results = _examine(env, home, arguments, is_before_deploy=is_before_deploy)
    except PlaceError as error:
        console.print(str(error), highlight=False, markup=False)
        raise typer.Exit(USAGE) from None
    if is_json:
        print(json.dumps(as_json(results, env)))
    else:
        out = Console(width=None if sys.stdout.isatty() else 120)
        out.print(table(results))
        out.print(summary(results, env), highlight=False)
    raise typer.Exit(PROBLEM if count(results, Level.PROBLEM) else 0)


def _examine(env: str, home: Path | None, arguments: str, *, is_before_deploy: bool) -> list[Result]:
    context, profile = cdk_arguments(arguments)
    aws = None
    if home is not None:
        place, aws = local_platform(home)
        context = {**context, **place}
    try:
        settings = settings_of(env, context)
    except SettingsError as error:
        return [Result("settings", [Kind.SETTINGS_UNUSABLE.found(str(error))])]
    if aws is None:
        try:
            aws = Aws(boto3.Session(profile_name=profile))
        except BotoCoreError as error:  # the profile does not exist
            return [Result("credentials", [Kind.NO_CREDENTIALS.found(f"{error}.".replace("..", "."))])]
    with console.status("checking") as status:
        return examine(
            settings,
            aws,
            lambda done: status.update(f"checking: {done} of {len(CHECKS)} checks have ended"),
            is_before_deploy=is_before_deploy,
        )


if __name__ == "__main__":
    typer.run(main)
