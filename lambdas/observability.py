"""Structured logs and metrics of every function, set up once."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from contracts.metrics import NAMESPACE

__all__ = ["MetricUnit", "logger", "metrics"]

# The service, a dimension of every metric, is the function's name: POWERTOOLS_SERVICE_NAME.
logger = Logger()
metrics = Metrics(namespace=NAMESPACE)
