"""Metrics as a deployed function emits them: its handler runs in a process of its own, and what it prints is read."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_RUN = (
    "import importlib, sys, json; from tests.support.pipeline import lambda_context; module, _, name = sys.argv[1].rpartition('.');"
    "getattr(importlib.import_module(module), name)(json.loads(sys.argv[2]), lambda_context())"
)


class Metric(NamedTuple):
    """A metric, and the dimensions that it is counted by."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


def emitted(handler: str, service: str, variables: dict[str, str], event: dict[str, Any]) -> set[Metric]:
    """Run a handler, as ``lambdas.load.handler.handler``, and return the metrics that CloudWatch would read in its log.

    Parameters
    ----------
    service
        The function's ``POWERTOOLS_SERVICE_NAME``.
    variables
        Further variables of its environment.
    """
    done = subprocess.run(
        [sys.executable, "-c", _RUN, handler, json.dumps(event)],
        cwd=ROOT,
        env={**os.environ, **variables, "POWERTOOLS_SERVICE_NAME": service},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {metric for line in done.stdout.splitlines() if '"_aws"' in line for metric in _read(json.loads(line))}


def _read(line: dict[str, Any]) -> list[Metric]:
    """Read a line of CloudWatch's embedded metric format."""
    found = []
    for group in line["_aws"]["CloudWatchMetrics"]:
        for names in group["Dimensions"]:
            dimensions = frozenset((name, line[name]) for name in names)
            for metric in group["Metrics"]:
                assert metric["Name"] in line, f"{metric['Name']} has no value"
                found.append(Metric(group["Namespace"], metric["Name"], dimensions))
    return found
