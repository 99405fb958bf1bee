"""What services do with a role inside the emulator: it starts executions and tasks without asking whether the role may."""

import threading
from collections.abc import Callable
from typing import Any

#: What a task of a state machine needs, by the start of its resource: actions, and the parameter that names the target.
_TASKS: dict[str, tuple[tuple[str, ...], str]] = {
    "lambda:invoke": (("lambda:InvokeFunction",), "FunctionName"),
    "glue:startJobRun.sync": (("glue:StartJobRun", "glue:GetJobRun"), "JobName"),
    "aws-sdk:glue:getJobRuns": (("glue:GetJobRuns",), "JobName"),
    "sns:publish": (("sns:Publish",), "TopicArn"),
}
_now = threading.local()


def install() -> None:
    """Check the role of a state machine before each task, and that of a rule before it starts an execution."""
    import ministack.services.eventbridge as events
    import ministack.services.stepfunctions as machines

    machines._execute_task = _with_role_of_the_machine(machines)
    machines._invoke_resource = _allowed_tasks(machines)
    events._invoke_target = _allowed_starts(events)


def may(role_arn: str, action: str, resource_arn: str) -> bool:
    """Tell whether a role's own policies allow an action, where permissions are enforced at all."""
    import ministack.app as app
    from ministack.core import iam_evaluator as evaluator

    if not app.AUTH:
        return True
    _, _, _, region, account, name = role_arn.split(":", 5)
    role = name.rpartition("/")[2]
    context = evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{role}/service",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=region,
    )
    policies = evaluator._gather_role_policies(role, account)
    return bool(evaluator.evaluate(context, policies).decision == "Allow")


def _with_role_of_the_machine(machines: Any) -> Callable[..., Any]:
    plain = machines._execute_task

    def execute(state: dict[str, Any], raw_input: Any, execution: dict[str, Any], context: Any) -> Any:
        machine = machines._state_machines[execution["stateMachineArn"]]
        _now.role = machine["roleArn"]
        return plain(state, raw_input, execution, context)

    return execute


def _allowed_tasks(machines: Any) -> Callable[..., Any]:
    plain = machines._invoke_resource

    def invoke(resource: str, parameters: dict[str, Any]) -> Any:
        actions, named = _TASKS.get(resource.rpartition(":::")[2], ((), ""))
        target = str(parameters.get(named, ""))
        if named == "JobName":
            target = f"arn:aws:glue:{machines.get_region()}:{machines.get_account_id()}:job/{target}"
        for action in actions:
            if not may(_now.role, action, target):
                message = f"{_now.role} is not authorized to perform: {action} on resource: {target}"
                raise machines._ExecutionError("States.Permissions", message)
        return plain(resource, parameters)

    return invoke


def _allowed_starts(events: Any) -> Callable[..., Any]:
    plain = events._invoke_target

    def invoke(target: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        if ":states:" in target["Arn"] and not may(target["RoleArn"], "states:StartExecution", target["Arn"]):
            events.logger.warning("EventBridge: %s may not start %s", target["RoleArn"], target["Arn"])
            return None
        return plain(target, *arguments, **named)

    return invoke
