"""Resource types that the emulator's CloudFormation lacks, one ``Ref`` that differs from AWS, and what AWS refuses."""

import json
from collections.abc import Callable
from typing import Any

from local.emulator import quicksight
from local.emulator.s3 import forget
from local.emulator.scheduler import service as scheduler

Handler = dict[str, Callable[..., Any]]


def install() -> None:
    """Register the handlers."""
    import ministack.services.cloudformation.provisioners as provisioners

    handlers = provisioners._RESOURCE_HANDLERS
    handlers["AWS::Athena::NamedQuery"] = _named_query()
    handlers["AWS::Athena::PreparedStatement"] = _prepared_statement()
    handlers["AWS::Glue::SecurityConfiguration"] = _security_configuration()
    for kind in quicksight.ARNS:
        handlers[f"AWS::QuickSight::{kind}"] = _quicksight(provisioners, kind)
    schedule = {"create": scheduler.create_schedule, "update": scheduler.update_schedule}
    handlers["AWS::Scheduler::Schedule"] = {**handlers["AWS::Scheduler::Schedule"], **schedule}
    handlers["AWS::SecretsManager::Secret"] = _secret(handlers["AWS::SecretsManager::Secret"])
    _install_refusals(handlers)


def _install_refusals(handlers: dict[str, Handler]) -> None:
    """Refuse what AWS refuses: to make what is there already, and to delete a bucket with something in it."""
    import ministack.services.cloudwatch_logs as logs
    import ministack.services.kms as kms
    import ministack.services.s3 as s3
    import ministack.services.secretsmanager as secrets

    taken: dict[str, tuple[str, Callable[[str], bool]]] = {
        "AWS::KMS::Alias": ("AliasName", lambda name: kms._alias_arn(name) in kms._aliases),
        "AWS::Logs::LogGroup": ("LogGroupName", lambda name: name in logs._log_groups),
        "AWS::S3::BucketPolicy": ("Bucket", lambda name: name in s3._bucket_policies),
        "AWS::SecretsManager::Secret": ("Name", lambda name: name in secrets._secrets),
    }
    for kind, (name, is_taken) in taken.items():
        handlers[kind] = _once(handlers[kind], name, is_taken)
    bucket = handlers["AWS::S3::Bucket"]

    def delete(pid: str, props: dict[str, Any]) -> Any:
        if pid in s3._buckets and (s3._buckets[pid]["objects"] or s3._bucket_has_versions(pid)):
            raise ValueError(f"The bucket {pid} you tried to delete is not empty")
        answer = bucket["delete"](pid, props)
        forget(pid)
        return answer

    handlers["AWS::S3::Bucket"] = {**bucket, "delete": delete}


def _once(handler: Handler, name: str, is_taken: Callable[[str], bool]) -> Handler:
    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        if is_taken(props.get(name, "")):
            raise ValueError(f"{props[name]} already exists")
        return handler["create"](logical_id, props, stack_name)

    return {**handler, "create": create}


def _named_query() -> Handler:
    import ministack.services.athena as athena

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        del logical_id, stack_name
        _, _, body = athena._create_named_query(props)
        query_id = json.loads(body)["NamedQueryId"]
        return query_id, {"NamedQueryId": query_id}

    return _replaced({"create": create, "delete": lambda pid, props: athena._delete_named_query({"NamedQueryId": pid})})


def _prepared_statement() -> Handler:
    import ministack.services.athena as athena

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        del logical_id, stack_name
        athena._create_prepared_statement(props)
        return f"{props['WorkGroup']}|{props['StatementName']}", {}

    def delete(pid: str, props: dict[str, Any]) -> Any:
        workgroup, _, name = pid.partition("|")
        return athena._delete_prepared_statement({"WorkGroup": workgroup, "StatementName": name})

    return _replaced({"create": create, "delete": delete})


def _replaced(handler: Handler) -> Handler:
    """Let a change take the old one's place: the emulator would create the new one beside it, or not at all."""

    def update(pid: str, before: dict[str, Any], after: dict[str, Any], stack_name: str) -> Any:
        handler["delete"](pid, before)
        return handler["create"]("", after, stack_name)

    return {**handler, "update": update}


def _security_configuration() -> Handler:
    import ministack.services.glue as glue

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        del logical_id, stack_name
        glue._create_security_configuration(props)
        return props["Name"], {}

    return {"create": create, "delete": lambda pid, props: glue._delete_security_configuration({"Name": pid})}


def _quicksight(provisioners: Any, kind: str) -> Handler:
    """Check the body as AWS would, by the service's own model, and remember nothing."""

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        del logical_id, stack_name
        if told := quicksight.problems(kind, props):
            raise ValueError(told)
        place = f"{provisioners.get_region()}:{provisioners.get_account_id()}"
        arn = f"arn:aws:quicksight:{place}:{quicksight.ARNS[kind].format(**quicksight.as_request(kind, props))}"
        return f"{props['AwsAccountId']}|{arn.rpartition('/')[2]}", {"Arn": arn}

    return {"create": create, "delete": lambda pid, props: None}


def _secret(plain: Handler) -> Handler:
    """On AWS the Ref of a secret is its ARN; here it is the name."""

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        _, attributes = plain["create"](logical_id, props, stack_name)
        return attributes["Arn"], attributes

    def update(pid: str, *arguments: Any) -> tuple[str, dict[str, str]]:
        plain["update"](_secret_name(pid), *arguments)
        return pid, {"Id": pid, "Arn": pid}

    return {
        **plain,
        "create": create,
        "update": update,
        "delete": lambda pid, props: plain["delete"](_secret_name(pid), props),
    }


def _secret_name(arn: str) -> str:
    return arn.rsplit(":", 1)[-1].rsplit("-", 1)[0]
