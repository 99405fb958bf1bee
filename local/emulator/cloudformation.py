"""Resource types that the emulator's CloudFormation lacks, and one ``Ref`` that differs from AWS."""

import json
from collections.abc import Callable
from typing import Any

Handler = dict[str, Callable[..., Any]]


def install() -> None:
    """Register the handlers."""
    import ministack.services.cloudformation.provisioners as provisioners

    handlers = provisioners._RESOURCE_HANDLERS
    handlers["AWS::Athena::NamedQuery"] = _named_query()
    handlers["AWS::Glue::SecurityConfiguration"] = _security_configuration()
    for kind, operation, id_key, resource in (
        ("DataSource", "CreateDataSource", "DataSourceId", "datasource"),
        ("DataSet", "CreateDataSet", "DataSetId", "dataset"),
        ("Dashboard", "CreateDashboard", "DashboardId", "dashboard"),
    ):
        handlers[f"AWS::QuickSight::{kind}"] = _quicksight(provisioners, operation, id_key, resource)
    handlers["AWS::SecretsManager::Secret"] = _secret(handlers["AWS::SecretsManager::Secret"])


def _named_query() -> Handler:
    import ministack.services.athena as athena

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        del logical_id, stack_name
        _, _, body = athena._create_named_query(props)
        query_id = json.loads(body)["NamedQueryId"]
        return query_id, {"NamedQueryId": query_id}

    return {"create": create, "delete": lambda pid, props: athena._delete_named_query({"NamedQueryId": pid})}


def _security_configuration() -> Handler:
    import ministack.services.glue as glue

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        del logical_id, stack_name
        glue._create_security_configuration(props)
        return props["Name"], {}

    return {"create": create, "delete": lambda pid, props: glue._delete_security_configuration({"Name": pid})}


def _quicksight(provisioners: Any, operation: str, id_key: str, resource: str) -> Handler:
    """Check the body as AWS would, by the service's own model, and remember nothing."""
    import botocore.session
    from botocore.validate import ParamValidator

    shape = botocore.session.get_session().get_service_model("quicksight").operation_model(operation).input_shape

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        del logical_id, stack_name
        report = ParamValidator().validate(props, shape)
        if report.has_errors():
            raise ValueError(report.generate_report())
        place = f"{provisioners.get_region()}:{provisioners.get_account_id()}"
        return f"{props['AwsAccountId']}|{props[id_key]}", {
            "Arn": f"arn:aws:quicksight:{place}:{resource}/{props[id_key]}"
        }

    return {"create": create, "delete": lambda pid, props: None}


def _secret(plain: Handler) -> Handler:
    """On AWS the Ref of a secret is its ARN; here it is the name."""

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        _, attributes = plain["create"](logical_id, props, stack_name)
        return attributes["Arn"], attributes

    def delete(pid: str, props: dict[str, Any]) -> Any:
        return plain["delete"](pid.rsplit(":", 1)[-1].rsplit("-", 1)[0], props)

    return {**plain, "create": create, "delete": delete}
