"""Every alarm watches a metric that somebody emits, with exactly the dimensions that it is emitted with."""

import copy

import pytest

from contracts.metrics import NAMESPACE
from tests.support.lake import FakeLake
from tests.support.metrics import Metric, emitted

#: Metrics of AWS's own services: the dimension that selects a resource, and the resource's type.
#: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
#: https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
AWS_METRICS = {
    "AWS/Lambda": (
        {"Errors", "Invocations", "Throttles", "Duration", "DeadLetterErrors", "ConcurrentExecutions"},
        "FunctionName",
        "AWS::Lambda::Function",
    ),
    "AWS/States": (
        {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted", "ExecutionThrottled", "ExecutionsSucceeded"},
        "StateMachineArn",
        "AWS::StepFunctions::StateMachine",
    ),
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    "AWS/SQS": (
        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage", "NumberOfMessagesSent"},
        "QueueName",
        "AWS::SQS::Queue",
    ),
}


@pytest.fixture
def alarms(prod):
    """Alarms by name; they can be changed."""
    found = copy.deepcopy(prod["alerting"].find_resources("AWS::CloudWatch::Alarm"))
    prefix = "totesys-prod-"
    return {a["Properties"]["AlarmName"].removeprefix(prefix): a["Properties"] for a in found.values()}


@pytest.fixture(scope="module")
def metrics(synthesise, servers):
    """What the functions emit that measure something, each with the handler and the service name of its deployment.

    The source is seeded and a batch is committed; the lake has a publication and the warehouse is filled from it.
    """
    from tests.support.pipeline import Pipeline

    functions = synthesise(alarm_email="data@example.com")["pipeline"].find_resources("AWS::Lambda::Function")
    deployed = {f["Properties"]["Handler"]: f["Properties"]["Environment"]["Variables"] for f in functions.values()}
    events = {"lambdas.extract.handler.handler": {}, "lambdas.load.handler.handler": {"step": "load"}}
    assert deployed.keys() == events.keys() | {"lambdas.notify.handler.handler"}
    found = set()
    with pytest.MonkeyPatch.context() as patch:
        for handler, event in events.items():
            pipeline = Pipeline(servers, patch)
            if "load" in handler:
                FakeLake(pipeline).publish()
            found |= emitted(handler, deployed[handler]["POWERTOOLS_SERVICE_NAME"], pipeline.variables, event)
    return found


def _problem(alarm, metrics, templates):
    """Why an alarm can never rise, or "" when it can."""
    dimensions = {d["Name"]: d["Value"] for d in alarm["Dimensions"]}
    if alarm["Namespace"] not in AWS_METRICS:
        watched = Metric(alarm["Namespace"], alarm["MetricName"], frozenset(dimensions.items()))
        return "" if watched in metrics else f"nobody emits {watched}"
    names, dimension, kind = AWS_METRICS[alarm["Namespace"]]
    if alarm["MetricName"] not in names:
        return f"{alarm['Namespace']} has no {alarm['MetricName']}"
    if list(dimensions) != [dimension]:
        return f"{alarm['Namespace']} is not counted by {', '.join(dimensions)}"
    return "" if kind in _imported(dimensions[dimension], templates) else f"{dimension} is no {kind} of ours"


def _imported(value, templates):
    """Types of the resources whose ``Ref``, or name, a value imports from another stack."""
    if not isinstance(value, dict):
        return []
    exports = {
        output["Export"]["Name"]: (template, output["Value"].get("Ref") or output["Value"]["Fn::GetAtt"][0])
        for template in templates.values()
        for output in template.to_json().get("Outputs", {}).values()
        if "Export" in output and isinstance(output["Value"], dict)
    }
    template, name = exports[value["Fn::ImportValue"]]
    return [r["Type"] for logical, r in template.to_json()["Resources"].items() if logical == name]


def test_g5_every_alarm_watches_a_metric_that_is_emitted(alarms, metrics, prod):
    assert {name: _problem(alarm, metrics, prod) for name, alarm in alarms.items()} == dict.fromkeys(alarms, "")
    assert {a["Namespace"] for a in alarms.values()} == {NAMESPACE, *AWS_METRICS}


def test_every_metric_that_is_emitted_is_watched_by_an_alarm(alarms, metrics):
    """CloudWatch charges each: what nobody watches is a field of a log line."""
    assert {m.name for m in metrics} == {a["MetricName"] for a in alarms.values() if a["Namespace"] == NAMESPACE}


def test_each_functions_failures_raise_an_alarm_of_their_own(alarms):
    """Both alarms count errors: what tells them apart is the function that they name."""
    for name, function in (("extract-failed", "Extract"), ("load-failed", "Load")):
        (dimension,) = alarms[name]["Dimensions"]
        assert f"Ref{function}Function" in dimension["Value"]["Fn::ImportValue"]


WRONG = {
    "not-fresh": [
        {"MetricName": "Unconfirmd"},
        {"Namespace": "totesys"},
        {"Dimensions": [{"Name": "service", "Value": "totesys-prod-load"}]},
        {"Dimensions": [{"Name": "function", "Value": "totesys-prod-extract"}]},
        {"Dimensions": []},
    ],
    "rows-quarantined": [{"Dimensions": [{"Name": "service", "Value": "totesys-prod-extract"}]}],
    "source-not-checked": [{"Dimensions": [{"Name": "service", "Value": "totesys-dev-extract"}]}],
    "extract-failed": [
        {"MetricName": "Error"},
        {"Dimensions": [{"Name": "FunctionName", "Value": "totesys-prod-extractor"}]},
        {"Dimensions": [{"Name": "Function", "Value": "totesys-prod-extract"}]},
    ],
    "events-undelivered": [
        {"MetricName": "MessagesVisible"},
        {"Dimensions": [{"Name": "QueueName", "Value": "totesys-prod-undelivered"}]},
        {"Dimensions": [{"Name": "Queue", "Value": "totesys-prod-undelivered"}]},
    ],
    "publish-failed": [{"MetricName": "ExecutionFailed"}, {"Namespace": "AWS/Lambda"}],
}


@pytest.mark.parametrize(("name", "change"), [(name, change) for name, changes in WRONG.items() for change in changes])
def test_an_alarm_that_could_never_rise_is_found(alarms, metrics, prod, name, change):
    assert _problem(alarms[name] | change, metrics, prod)
