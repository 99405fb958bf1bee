"""Command line for a deployed platform: ``python -m operate <command>``."""

import json
import shlex
import sys
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from operate.errors import OperateError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(stderr=True)

Environment = Annotated[str, typer.Option("--env", help="Environment, as in cdk.json.")]


@app.callback()
def commands() -> None:
    """Work on a deployed platform, with the AWS client's own credentials."""


@app.command()
def destroy(
    env: Environment,
    stacks: Annotated[bool, typer.Option("--stacks", help="The stacks alone: data that is kept stays.")] = False,
    yes: Annotated[
        str | None, typer.Option(metavar="ENV", help="The environment's name, instead of typing it.")
    ] = None,
    cdk: Annotated[str, typer.Option(help="Command of the CDK CLI.")] = "cdk",
) -> None:
    """Delete a deployment: say what will be deleted, ask, empty the buckets, delete the stacks."""
    from operate.deployment import Deployment
    from operate.destroy import destroy as tear_down

    def ask(question: str) -> str:
        return yes if yes is not None else str(typer.prompt(question, err=True))

    tear_down(Deployment(env), stacks_only=stacks, cdk=shlex.split(cdk), ask=ask, console=console)


@app.command()
def adopted(env: Environment) -> None:
    """Print the settings by which the next deployment takes over what an earlier one has left."""
    from operate.adopted import adopted as settings_of
    from operate.deployment import Deployment

    print(json.dumps(settings_of(Deployment(env)), indent=2))


def main() -> int:
    """Run a command; every failure is one message and an exit code that is not 0."""
    try:
        code = app(standalone_mode=False)
    except OperateError as error:
        return _fail(str(error), 1)
    except ClientError as error:
        code, operation = error.response["Error"]["Code"], error.operation_name
        return _fail(f"AWS refuses {operation} ({code}). Run the command again when it is allowed; it goes on.", 1)
    except BotoCoreError as error:
        return _fail(
            f"AWS cannot be asked: {type(error).__name__}. See that credentials are set and AWS is reached.", 1
        )
    except (KeyboardInterrupt, typer.Abort):
        return _fail("Interrupted. Run the command again: it goes on where it stopped.", 130)
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")):  # usage
            return _fail(error.format_message() if hasattr(error, "format_message") else str(error), 2)
        raise
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    console.print(message, style="red", highlight=False, soft_wrap=True, markup=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
