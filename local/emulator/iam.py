"""Resources of Glue's actions as AWS names them: the emulator takes a database's name for a table's."""

import json
from typing import Any

_DATABASE_ACTIONS = ("GetDatabase", "DeleteDatabase", "UpdateDatabase")


def install() -> None:
    """Correct the resource that a Glue request is checked against."""
    import ministack.core.iam_actions as actions

    plain = actions.extract_resource_arn

    def resource_arn(service: str, *arguments: Any, **named: Any) -> str:
        if service == "glue":
            found = _glue_resource(*arguments, **named)
            if found:
                return found
        return str(plain(service, *arguments, **named))

    actions.extract_resource_arn = resource_arn


def _glue_resource(
    method: str, path: str, headers: dict[str, str], body: bytes, query: Any, region: str, account: str
) -> str | None:
    del method, path, query
    action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    try:
        request = json.loads(body)
    except ValueError:
        return None
    place = f"arn:aws:glue:{region}:{account}"
    if action in _DATABASE_ACTIONS:
        return f"{place}:database/{request.get('Name', '')}"
    if action == "CreateDatabase":
        return f"{place}:database/{request.get('DatabaseInput', {}).get('Name', '')}"
    if "DatabaseName" in request:
        table = request.get("Name") or request.get("TableInput", {}).get("Name", "")
        return f"{place}:table/{request['DatabaseName']}/{table}"
    if "JobName" in request:
        return f"{place}:job/{request['JobName']}"
    return None
