"""The composition root: settings → stacks."""

import json
import sys
from pathlib import Path
from typing import Any

from cdk_app.jsii_node import use_supported_node

use_supported_node()

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from cdk_nag import AwsSolutionsChecks

from cdk_app.alerting_stack import AlertingStack
from cdk_app.analytics_stack import AnalyticsStack
from cdk_app.catalog_stack import CatalogStack
from cdk_app.pipeline_stack import PipelineStack
from cdk_app.settings import Settings, SettingsError, read_settings
from cdk_app.storage_stack import StorageStack


def build(app: cdk.App, settings: Settings) -> None:
    """Compose the stacks. They are flat, so that ``cdk deploy --all`` finds them."""
    env = cdk.Environment(account=settings.account, region=settings.region)
    prefix = settings.prefix
    common: dict[str, Any] = {"env": env, "termination_protection": settings.is_protected, "settings": settings}
    storage = StorageStack(app, f"{prefix}-storage", **common)
    catalog = CatalogStack(app, f"{prefix}-catalog", storage=storage, **common)
    pipeline = PipelineStack(app, f"{prefix}-pipeline", storage=storage, **common)
    pipeline.add_stack_dependency(catalog)
    AlertingStack(app, f"{prefix}-alerting", storage=storage, pipeline=pipeline, **common)
    analytics = AnalyticsStack(
        app, f"{prefix}-analytics", storage=storage, warehouse_secret=pipeline.warehouse_secret, **common
    )
    analytics.add_stack_dependency(catalog)
    if settings.permissions_boundary:
        boundary = iam.ManagedPolicy.from_managed_policy_arn(storage, "Boundary", settings.permissions_boundary)
        iam.PermissionsBoundary.of(app).apply(boundary)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    for name, value in {**settings.tags, "application": "totesys", "environment": settings.environment}.items():
        cdk.Tags.of(app).add(name, value)


def main() -> None:
    """Read the settings and synthesise."""
    file = json.loads(Path(__file__).with_name("cdk.json").read_text("utf-8"))
    app = cdk.App(context=file["context"])  # python app.py, without the CLI, reads the same file
    context = app.node.get_all_context()
    try:
        settings = read_settings(context, context["environments"])
    except SettingsError as error:
        sys.exit(str(error))
    build(app, settings)
    app.synth()


if __name__ == "__main__":
    main()
