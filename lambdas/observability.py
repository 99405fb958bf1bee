"""Structured logs and metrics of every function, set up once."""

import warnings
from datetime import UTC, datetime

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from contracts.metrics import NAMESPACE

__all__ = ["MetricUnit", "age", "logger", "metrics", "table_metric"]

# A pending check, or a run that fails, has nothing to measure: no reason to warn.
warnings.filterwarnings("ignore", message="No application metrics to publish")

# The service, a dimension of every metric, is the function's name: POWERTOOLS_SERVICE_NAME.
logger = Logger()
metrics = Metrics(namespace=NAMESPACE)


def table_metric(name: str, table: str, seconds: float) -> None:
    """Emit a metric of one table: beside the service, it has the dimension ``table``."""
    service = {"service": str(metrics.service)}
    with single_metric(name, MetricUnit.Seconds, seconds, namespace=NAMESPACE, default_dimensions=service) as metric:
        metric.add_dimension("table", table)


def age(taken_at: str) -> float:
    """Return how many seconds ago something was, by this machine's clock: never less than none, if another's is ahead."""
    return max(0.0, round((datetime.now(UTC) - datetime.fromisoformat(taken_at)).total_seconds(), 3))
