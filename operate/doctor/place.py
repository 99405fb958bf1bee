"""Which environment is examined, with which settings and credentials: those of AWS, or of a platform on this machine."""

import argparse
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from cdk_app.settings import Settings, read_settings
from operate.doctor.platform import Aws

_ROOT = Path(__file__).parents[2]


class PlaceError(Exception):
    """What was typed leads nowhere."""


def settings_of(environment: str, context: Mapping[str, Any]) -> Settings:
    """Read the settings of an environment in cdk.json; `context` wins.

    Raises
    ------
    SettingsError
        When they are not usable.
    """
    file = json.loads((_ROOT / "cdk.json").read_text("utf-8"))["context"]
    return read_settings({**file, **context, "env": environment}, file["environments"])


def cdk_arguments(text: str) -> tuple[dict[str, str], str | None]:
    """Return the settings and the profile that arguments for the CDK name; others do not matter here.

    Raises
    ------
    PlaceError
        When a quotation mark is not closed.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-c", "--context", action="append", default=[])
    parser.add_argument("--profile")
    try:
        found, _ = parser.parse_known_args(shlex.split(text))
    except ValueError as error:
        raise PlaceError(f"The CDK's arguments cannot be read: {error}.") from None
    return dict(item.partition("=")[::2] for item in found.context), found.profile


def local_platform(home: Path) -> tuple[dict[str, str], Aws]:
    """Return the settings that ``python -m local up`` gave a platform of this machine, and its AWS.

    Raises
    ------
    PlaceError
        When there is no platform.
    """
    try:
        platform = json.loads((home / "platform.json").read_text("utf-8"))
        state = json.loads((home / "state.json").read_text("utf-8"))
    except FileNotFoundError:
        raise PlaceError(f"There is no platform in {home}. Start one: python -m local up --home {home}") from None
    chosen = {name: value for name, value in state.items() if name in Settings.model_fields and value}
    session = boto3.Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator's fixed login
        region_name=platform["region"],
    )
    context = {**chosen, "account": platform["account"], "region": platform["region"]}
    return context, Aws(session, platform["endpoint"])
