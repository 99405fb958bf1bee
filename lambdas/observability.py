"""Structured logs and metrics of every function, set up once."""

import warnings
from datetime import UTC, datetime

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from contracts.metrics import NAMESPACE

__all__ = ["MetricUnit", "age", "logger", "metrics"]

# A pending check, or a run that fails, has nothing to measure: no reason to warn.
warnings.filterwarnings("ignore", message="No application metrics to publish")

# The service, a dimension of every metric, is the function's name: POWERTOOLS_SERVICE_NAME.
logger = Logger()
metrics = Metrics(namespace=NAMESPACE)


def age(taken_at: str) -> float:
    """Return how many seconds ago something was, by this machine's clock: never less than none, if another's is ahead."""
    return max(0.0, round((datetime.now(UTC) - datetime.fromisoformat(taken_at)).total_seconds(), 3))
