"""Whether an EventBridge pattern matches an event. What our rules do not use is an error, as in `tests.support.states`."""

from typing import Any


def matches(pattern: dict[str, Any], event: Any) -> bool:
    """Tell whether every field of a pattern is in the event, with one of the values that the pattern allows."""
    for name, wanted in pattern.items():
        if not isinstance(event, dict) or name not in event:
            return False
        found = event[name]
        if isinstance(wanted, dict):
            if not matches(wanted, found):
                return False
        elif not any(_is(one, value) for one in wanted for value in (found if isinstance(found, list) else [found])):
            return False
    return True


def _is(wanted: Any, value: Any) -> bool:
    if not isinstance(wanted, dict):
        return type(wanted) is type(value) and wanted == value
    assert wanted.keys() == {"prefix"}, f"{wanted} is not interpreted"
    return isinstance(value, str) and value.startswith(wanted["prefix"])
