"""The second CDK application: the roles of GitHub Actions, deployed once by an administrator (``make github-role``)."""

import sys
from typing import Any

from cdk_app.jsii_node import use_supported_node

use_supported_node()

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from cdk_app.github_stack import GitHubSettings, GitHubStack, read_github_settings
from cdk_app.settings import SettingsError


def build(app: cdk.App, settings: GitHubSettings) -> GitHubStack:
    """Compose the stack."""
    env = cdk.Environment(account=settings.account, region=settings.region)
    stack = GitHubStack(
        app, f"totesys-{settings.environment}-github", settings=settings, env=env, termination_protection=True
    )
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    for name, value in {"application": "totesys", "environment": settings.environment}.items():
        cdk.Tags.of(app).add(name, value)
    return stack


def given(context: dict[str, Any]) -> dict[str, Any]:
    """Return the settings on the command line; account and region are those of the environment in cdk.json."""
    environment = context.get("env", "dev")
    deployed = context.get("environments", {}).get(environment, {})
    place = {name: deployed[name] for name in ("account", "region") if name in deployed}
    named = {name: context[name] for name in GitHubSettings.model_fields if context.get(name)}
    return {**place, **named, "environment": environment}


def main() -> None:
    """Read the settings and synthesise."""
    app = cdk.App()
    try:
        settings = read_github_settings({"repository": "", **given(app.node.get_all_context())})
    except SettingsError as error:
        sys.exit(f"The roles of GitHub Actions need a repository, owner/name (make github-role REPOSITORY=…):\n{error}")
    build(app, settings)
    app.synth()


if __name__ == "__main__":
    main()
