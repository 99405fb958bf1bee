"""Synthesis of one environment under both packs of cdk-nag: ``python -m tools.lint_infra.synthesis dev DIRECTORY``."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdk_app.jsii_node import use_supported_node

use_supported_node()

import aws_cdk as cdk
from cdk_nag import NIST80053R5Checks

import app as composition
from cdk_app.settings import read_settings

ROOT = Path(__file__).resolve().parents[2]
#: Where an environment would be that names no account and region.
ACCOUNT, REGION = "111111111111", "eu-west-2"


@dataclass(frozen=True)
class Template:
    """The template of one stack.

    Attributes
    ----------
    environment, stack
        ``dev`` and ``pipeline``, for example.
    body
        Its content.
    """

    environment: str
    stack: str
    body: dict[str, Any]

    def where(self, logical_id: str) -> str:
        """Return the place of a resource: environment, stack and the path of its construct."""
        path = self.body["Resources"][logical_id].get("Metadata", {}).get("aws:cdk:path", logical_id)
        return place(self.environment, path)


def place(environment: str, path: str) -> str:
    """Return the place of a construct of one environment."""
    return f"{environment}/{path.removeprefix(f'totesys-{environment}-').removesuffix('/Resource')}"


def synthesise(environment: str, directory: Path) -> None:
    """Write templates and cdk-nag's report into `directory`, whatever cdk-nag finds.

    Raises
    ------
    RuntimeError
        When the synthesis fails for another reason.
    """
    context = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    app = cdk.App(context={**context, "aws:cdk:enable-path-metadata": True}, outdir=str(directory))
    environments = context["environments"]
    elsewhere = {"account": ACCOUNT, "region": REGION, **environments[environment]}
    settings = read_settings({"env": environment, "lambda_wheels": False}, {environment: elsewhere})
    composition.build(app, settings)
    cdk.Validations.of(app).add_plugins(NIST80053R5Checks(app))
    try:
        app.synth()
    except RuntimeError:
        if not (directory / "validation-report.json").exists():
            raise


def read_templates(environment: str, directory: Path) -> list[Template]:
    """Return the templates of an assembly."""
    return [
        Template(
            environment, file.name.split(".")[0].removeprefix(f"totesys-{environment}-"), json.loads(file.read_text())
        )
        for file in sorted(directory.glob("*.template.json"))
    ]


if __name__ == "__main__":
    synthesise(sys.argv[1], Path(sys.argv[2]))
