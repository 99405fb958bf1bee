"""The composition root: settings → stacks."""

import json
import sys
from pathlib import Path

from cdk_app.jsii_node import use_supported_node

use_supported_node()

import aws_cdk as cdk
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
    storage = StorageStack(app, f"{prefix}-storage", env=env, settings=settings)
    catalog = CatalogStack(app, f"{prefix}-catalog", env=env, settings=settings, storage=storage)
    pipeline = PipelineStack(app, f"{prefix}-pipeline", env=env, settings=settings, storage=storage)
    pipeline.add_stack_dependency(catalog)
    AlertingStack(app, f"{prefix}-alerting", env=env, settings=settings, storage=storage, pipeline=pipeline)
    analytics = AnalyticsStack(
        app,
        f"{prefix}-analytics",
        env=env,
        settings=settings,
        storage=storage,
        warehouse_secret=pipeline.warehouse_secret,
    )
    analytics.add_stack_dependency(catalog)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    cdk.Tags.of(app).add("application", "totesys")
    cdk.Tags.of(app).add("environment", settings.environment)


def main() -> None:
    """Read the settings and synthesise."""
    file = json.loads(Path(__file__).with_name("cdk.json").read_text("utf-8"))
    app = cdk.App(context=file["context"])  # python app.py, without the CLI, reads the same file
    context = {name: app.node.try_get_context(name) for name in ("env", *Settings.model_fields)}
    try:
        settings = read_settings(context, app.node.try_get_context("environments"))
    except SettingsError as error:
        sys.exit(str(error))
    build(app, settings)
    app.synth()


if __name__ == "__main__":
    main()
