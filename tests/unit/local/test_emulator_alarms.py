"""The local CloudWatch: metrics in logs, and the state of an alarm; and what a failed function reports."""

import json

import pytest

from local.emulator.cloudwatch import embedded_metrics, state_of
from local.emulator.functions import with_name

NOW = 1_000_000.0
FAILED = {
    "Period": 300, "EvaluationPeriods": 6, "DatapointsToAlarm": 1, "Statistic": "Sum", "Threshold": 0,
    "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
}  # fmt: skip
MISSED = {
    **FAILED, "DatapointsToAlarm": 6, "Threshold": 1, "ComparisonOperator": "LessThanThreshold", "TreatMissingData": "breaching",
}  # fmt: skip


@pytest.mark.parametrize(
    ("alarm", "ages", "state"),
    [
        (FAILED, [10], "ALARM"),
        (FAILED, [1799], "ALARM"),
        (FAILED, [1801], "OK"),
        (FAILED, [], None),
        (MISSED, [1799], "OK"),
        (MISSED, [1801], "ALARM"),
        (MISSED, [], None),
        ({**FAILED, "TreatMissingData": "ignore"}, [1801], None),
        ({**FAILED, "TreatMissingData": "ignore"}, [1801, 10], "ALARM"),
    ],
)
def test_the_state_follows_the_newest_periods(alarm, ages, state):
    assert state_of(alarm, [(NOW - age, 1.0) for age in ages], NOW) == state


def test_zeros_are_data_and_no_failure():
    assert state_of(FAILED, [(NOW - 1, 0.0)], NOW) == "OK"


def test_a_line_of_a_log_says_what_was_measured():
    line = {
        "_aws": {"Timestamp": 1, "CloudWatchMetrics": [
            {"Namespace": "Totesys", "Dimensions": [["service"]], "Metrics": [{"Name": "A"}, {"Name": "B"}]}]},
        "service": "totesys-local-extract", "A": [1.0, 2.0], "B": 3,
    }  # fmt: skip
    dimensions = {"service": "totesys-local-extract"}
    assert [*embedded_metrics(json.dumps(line))] == [
        ("Totesys", "A", dimensions, 1.0), ("Totesys", "A", dimensions, 2.0), ("Totesys", "B", dimensions, 3.0),
    ]  # fmt: skip


@pytest.mark.parametrize("line", ['{"level": "INFO"}', '"_aws" no JSON', '{"_aws": {}}', '{"_aws": 1}'])
def test_other_lines_say_nothing(line):
    assert [*embedded_metrics(line)] == []


def test_an_error_of_a_handler_has_the_name_of_its_class():
    body = {"errorMessage": "The source (x) refused\nit.", "errorType": "Runtime.HandlerError"}
    log = "Traceback (most recent call last):\n  File …\nlambdas.errors.LoginRefusedError: The source (x) refused\nit."
    assert with_name({"body": body, "error": True, "log": log})["body"]["errorType"] == "LoginRefusedError"


@pytest.mark.parametrize(
    "result",
    [
        {
            "body": {"errorMessage": "Worker process died", "errorType": "Runtime.HandlerError"},
            "error": True,
            "log": "x",
        },
        {"body": {"errorMessage": "no", "errorType": "Sandbox.Timedout"}, "error": True, "log": "E: no"},
        {"body": {"batch": 1}},
        {"body": None, "log": None},
    ],
)
def test_other_ends_stay_as_they_are(result):
    assert with_name(result) == result
