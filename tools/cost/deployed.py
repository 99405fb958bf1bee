"""What a deployment consists of, as far as it is charged by the month: counted in its templates."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.metrics import NAMESPACE

Template = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Deployed:
    """Resources that are charged whether they are used or not, and the functions' memory.

    Attributes
    ----------
    alarms, composite_alarms, metrics, secrets, keys
        How many there are; metrics are the platform's own that an alarm watches: it emits no others.
    endpoint_zones
        Interface endpoints, each counted for every subnet that it stands in.
    extract_gigabytes, load_gigabytes
        Memory of the functions.
    """

    alarms: int
    composite_alarms: int
    metrics: int
    secrets: int
    keys: int
    endpoint_zones: int
    extract_gigabytes: float
    load_gigabytes: float


def deployed(templates: Iterable[Template]) -> Deployed:
    """Count the resources of all stacks."""
    resources = [r for template in templates for r in template.get("Resources", {}).values()]
    kinds = Counter(resource["Type"] for resource in resources)
    return Deployed(
        alarms=kinds["AWS::CloudWatch::Alarm"],
        composite_alarms=kinds["AWS::CloudWatch::CompositeAlarm"],
        metrics=len(_metrics(resources)),
        secrets=kinds["AWS::SecretsManager::Secret"],
        keys=kinds["AWS::KMS::Key"],
        endpoint_zones=sum(map(_zones, resources)),
        extract_gigabytes=_gigabytes(resources, "lambdas.extract."),
        load_gigabytes=_gigabytes(resources, "lambdas.load."),
    )


def _metrics(resources: Iterable[Template]) -> set[str]:
    alarms = [r["Properties"] for r in resources if r["Type"] == "AWS::CloudWatch::Alarm"]
    return {alarm["MetricName"] for alarm in alarms if alarm.get("Namespace") == NAMESPACE}


def _zones(resource: Template) -> int:
    properties = resource.get("Properties", {})
    is_interface = resource["Type"] == "AWS::EC2::VPCEndpoint" and properties.get("VpcEndpointType") == "Interface"
    return len(properties["SubnetIds"]) if is_interface else 0


def _gigabytes(resources: Iterable[Template], handler: str) -> float:
    (memory,) = (
        r["Properties"]["MemorySize"]
        for r in resources
        if r["Type"] == "AWS::Lambda::Function" and str(r["Properties"].get("Handler")).startswith(handler)
    )
    return float(memory) / 1024
