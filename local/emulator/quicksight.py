"""What Quick Sight would say of a resource: bodies are checked by the service's own model, as botocore has it."""

from functools import cache
from typing import Any

#: Kind of resource → the end of its ARN, by names of its request.
ARNS = {
    "DataSource": "datasource/{DataSourceId}",
    "DataSet": "dataset/{DataSetId}",
    "RefreshSchedule": "dataset/{DataSetId}/refresh-schedule/{Schedule[ScheduleId]}",
    "Theme": "theme/{ThemeId}",
    "Analysis": "analysis/{AnalysisId}",
    "Dashboard": "dashboard/{DashboardId}",
}


def problems(kind: str, properties: dict[str, Any]) -> str:
    """Return what is wrong with a resource's properties, or "".

    Parameters
    ----------
    kind
        One of `ARNS`.
    properties
        As in a template, without intrinsic functions.
    """
    from botocore.validate import ParamValidator

    report = ParamValidator().validate(as_request(kind, properties), _shape(kind))
    return str(report.generate_report())


def as_request(kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return properties as the service's request has them: a schedule's ``TimeZone`` is ``Timezone`` there, all else is alike."""
    if kind != "RefreshSchedule":
        return properties
    schedule = properties["Schedule"]
    frequency = {
        {"TimeZone": "Timezone"}.get(name, name): value for name, value in schedule["ScheduleFrequency"].items()
    }
    return properties | {"Schedule": schedule | {"ScheduleFrequency": frequency}}


@cache
def _shape(kind: str) -> Any:
    import botocore.session

    model = botocore.session.get_session().get_service_model("quicksight")
    return model.operation_model(f"Create{kind}").input_shape
