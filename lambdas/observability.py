"""Structured logs and metrics of every function, set up once."""

import warnings

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from contracts.metrics import NAMESPACE

__all__ = ["MetricUnit", "logger", "metrics"]

# A survey, or a run that fails, has nothing to measure: no reason to warn.
warnings.filterwarnings("ignore", message="No application metrics to publish")

# The service, a dimension of every metric, is the function's name: POWERTOOLS_SERVICE_NAME.
logger = Logger()
metrics = Metrics(namespace=NAMESPACE)
