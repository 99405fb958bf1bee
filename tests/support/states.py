"""Walks through a state machine: what is called on the way, and how an execution ends.

Two interpreters walk. Ours is strict: a field or an operator that it does not know, and a path that is not there, is
an error, as AWS would make it one. The emulator's shows that the laptop goes the same way.
"""

import copy
import fnmatch
import json
import re
from dataclasses import dataclass, field
from typing import Any

EXECUTION = "arn:aws:states:eu-west-2:000000000001:execution:publish:1"
CONTEXT = {"Execution": {"Id": EXECUTION}}


class Failure(Exception):
    """What a task or an execution fails with."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(error, cause)
        self.error, self.cause = error, cause


@dataclass
class Walk:
    """One execution.

    Attributes
    ----------
    calls
        For each task that ran, in order, its state and its parameters.
    failure
        How it failed, or None.
    output
        What it ended with when it succeeded.
    waited
        For how many seconds it has waited.
    states
        The states that it has entered, in order; only our own interpreter tells.
    """

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failure: Failure | None = None
    output: dict[str, Any] = field(default_factory=dict)
    waited: float = 0
    states: list[str] = field(default_factory=list)

    @property
    def tasks(self) -> list[str]:
        return [state for state, _ in self.calls]

    def parameters(self, state: str) -> list[dict[str, Any]]:
        return [parameters for name, parameters in self.calls if name == state]


class Answers:
    """What each task answers: a value, a failure, or a list of these, one for each call."""

    def __init__(self, **by_state: Any) -> None:
        self._by_state = copy.deepcopy(by_state)

    def take(self, state: str) -> Any:
        answer = self._by_state[state]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Failure):
            raise answer
        return answer


def walk_strictly(definition: dict[str, Any], event: dict[str, Any], answers: Answers) -> Walk:
    """Walk as the Amazon States Language says, for what our definitions use of it."""
    walk, data, name = Walk(), copy.deepcopy(event), definition["StartAt"]
    for _ in range(100):
        state = dict(definition["States"][name])
        kind = state.pop("Type")
        walk.states.append(name)
        try:
            if kind == "Succeed":
                walk.output = data
                return walk
            if kind == "Fail":
                walk.failure = Failure(_at(data, state.pop("ErrorPath")), _at(data, state.pop("CausePath")))
                return walk
            if kind == "Choice":
                rules, name = state.pop("Choices"), state.pop("Default")
                name = next((rule["Next"] for rule in rules if _holds(rule, data)), name)
            elif kind == "Wait":
                walk.waited += state.pop("Seconds")
                name = state.pop("Next")
            elif kind == "Pass":
                data, name = _put(data, state.pop("ResultPath"), state.pop("Result")), state.pop("Next")
            else:
                assert kind == "Task", kind
                data, name = _task(walk, name, state, data, answers)
        finally:
            state.pop("Retry", None)
        assert not state, f"{name}: {sorted(state)} are not interpreted"
    raise AssertionError("the execution does not end")


def _task(walk: Walk, name: str, state: dict[str, Any], data: Any, answers: Answers) -> tuple[Any, str]:
    resource = state.pop("Resource")
    parameters, (catcher,) = _filled(state.pop("Parameters"), data), state.pop("Catch")
    path, selector, following = state.pop("ResultPath"), state.pop("ResultSelector", None), state.pop("Next")
    assert catcher.keys() == {"ErrorEquals", "ResultPath", "Next"} and catcher["ErrorEquals"] == ["States.ALL"]
    walk.calls.append((name, parameters))
    try:
        answer = answers.take(name)
    except Failure as failure:
        return _put(data, catcher["ResultPath"], {"Error": failure.error, "Cause": failure.cause}), catcher["Next"]
    if selector:
        answer = _filled(selector, {"Payload": answer} if resource.endswith(":lambda:invoke") else answer)
    return _put(data, path, answer), following


def _holds(rule: dict[str, Any], data: Any) -> bool:
    rule = {key: value for key, value in rule.items() if key != "Next"}
    if "And" in rule or "Or" in rule:
        ((operator, inner),) = rule.items()
        return (all if operator == "And" else any)(_holds(one, data) for one in inner)
    variable = rule.pop("Variable")
    ((operator, operand),) = rule.items()
    if operator == "IsPresent":
        try:
            _at(data, variable)
        except (KeyError, IndexError):
            return not operand
        return bool(operand)
    value = _at(data, variable)
    tests = {
        "StringEquals": lambda: isinstance(value, str) and value == operand,
        "StringMatches": lambda: isinstance(value, str) and fnmatch.fnmatchcase(value, operand.replace("[", "[[]")),
        "BooleanEquals": lambda: isinstance(value, bool) and value is operand,
        "NumericGreaterThan": lambda: not isinstance(value, bool) and value > operand,
        "NumericLessThan": lambda: not isinstance(value, bool) and value < operand,
    }
    return bool(tests[operator]())


def _at(data: Any, path: str) -> Any:
    """Return what a path leads to; KeyError or IndexError when it leads nowhere."""
    if path.startswith("$$."):
        return _at(CONTEXT, path[1:])
    assert path.startswith("$."), path
    for number, step in enumerate(path[2:].split(".")):
        name, _, index = step.rstrip("]").partition("[")
        data = data[name]
        if index == "*":  # the rest of the path, of each
            rest = path[2:].split(".")[number + 1 :]
            return [_at(item, ".".join(["$", *rest])) for item in data]
        data = data[int(index)] if index else data
    return data


def _put(data: Any, path: str | None, value: Any) -> Any:
    if path is None:
        return data
    (name,) = re.fullmatch(r"\$\.(\w+)", path).groups()
    return {**data, name: value}


def _filled(template: dict[str, Any], data: Any) -> dict[str, Any]:
    filled = {}
    for name, value in template.items():
        if name.endswith(".$"):
            filled[name[:-2]] = _format(value, data) if value.startswith("States.") else _at(data, value)
        else:
            filled[name] = _filled(value, data) if isinstance(value, dict) else value
    return filled


def _format(call: str, data: Any) -> str:
    text, paths = re.fullmatch(r"States\.Format\('([^'\\]*)', (.+)\)", call).groups()
    values = [_at(data, path) for path in paths.split(", ")]
    pieces = text.split("{}")
    assert len(pieces) == len(values) + 1 and not set("{}") & set("".join(pieces)), call
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return "".join(piece + text for piece, text in zip(pieces, [*texts, ""], strict=True))


def walk_as_the_emulator(definition: dict[str, Any], event: dict[str, Any], answers: Answers) -> Walk:
    """Walk with the interpreter of the local AWS."""
    from unittest.mock import patch

    import ministack.services.stepfunctions as machines

    walk, context = Walk(), {**copy.deepcopy(CONTEXT), "QueryLanguage": "JSONPath", "variables": {}}

    def invoke(resource: str, parameters: dict[str, Any]) -> Any:
        state = context["State"]["Name"]
        walk.calls.append((state, parameters))
        try:
            answer = answers.take(state)
        except Failure as failure:
            raise machines._ExecutionError(failure.error, failure.cause) from None
        return {"Payload": answer} if "lambda" in resource else answer

    def wait(state: dict[str, Any], data: Any, *_: Any) -> tuple[Any, str]:
        walk.waited += state["Seconds"]
        return data, state["Next"]

    with (
        patch.object(machines, "_invoke_resource", invoke),
        patch.object(machines, "_add_event", lambda *_: None),
        patch.object(machines, "_execute_wait", wait),
    ):
        try:
            walk.output = machines._run_sub_machine(definition["States"], definition["StartAt"], event, {}, context)
        except machines._ExecutionError as error:
            walk.failure = Failure(error.error, error.cause)
    return walk
