"""The tools: each is run offline, and what it finds becomes `Finding`."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cfnlint.api import lint
from cfnlint.config import ManualArgs

from cdk_app.jsii_node import supported_node
from tools.lint_infra.findings import Finding
from tools.lint_infra.synthesis import ACCOUNT, REGION, ROOT, Template, place

#: Environment of its own for what pins too much to stand in ours; ``make lint-infra`` makes it.
HOME = ROOT / ".cache" / "linters"
#: What a template asks CloudFormation for, where a tool wants a text.
_PSEUDO = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}


class LinterError(Exception):
    """A tool did not do its work."""


def nag(environment: str, assembly: Path) -> Iterator[Finding]:
    """Return what cdk-nag's packs found in a synthesis."""
    report = json.loads((assembly / "validation-report.json").read_text("utf-8"))
    for plugin in report["pluginReports"]:
        for violation in plugin["violations"]:
            tool, _, name = violation["ruleName"].rpartition("-")
            for construct in violation["violatingConstructs"]:
                where = place(environment, construct["constructPath"])
                yield Finding(f"{tool}:{name}", where, violation["description"])


def acknowledged(assembly: Path) -> int:
    """Return how many findings of AwsSolutions the code itself acknowledges, each with its reason."""
    count = 0
    for file in assembly.glob("*.metadata.json"):
        for entries in json.loads(file.read_text("utf-8")).values():
            rules = (rule for e in entries if e["type"] == "aws:cdk:acknowledged-rules" for rule in e["data"])
            count += sum("AwsSolutions-" in rule for rule in rules)
    return count


def cfn_lint(templates: Iterable[Template]) -> Iterator[Finding]:
    """Return what cfn-lint says of templates."""
    for template in templates:
        for match in lint(json.dumps(template.body), config=ManualArgs(regions=[REGION])):
            path = [*match.path, "", ""]
            known = path[0] == "Resources" and path[1] in template.body["Resources"]
            where = template.where(path[1]) if known else f"{template.environment}/{template.stack}/{path[0]}/{path[1]}"
            yield Finding(f"cfn-lint:{match.rule.id}", where, match.message)


def asl(templates: Iterable[Template], home: Path = HOME) -> Iterator[Finding]:
    """Return what asl-validator says of the state machines."""
    script = home / "node_modules" / "asl-validator" / "dist" / "bin" / "asl-validator.js"
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "definition.json"
        for template in templates:
            for logical_id, resource in template.body["Resources"].items():
                if resource["Type"] == "AWS::StepFunctions::StateMachine":
                    file.write_text(_text(resource["Properties"]["DefinitionString"]), "utf-8")
                    done = _run([str(supported_node()), str(script), "--json-path", str(file)], accepted=(0, 1))
                    lines = (done.stdout + done.stderr).replace(str(file), "").strip().splitlines()
                    for line in lines[1:] if done.returncode else []:
                        kind, _, text = line.strip().partition(": ")
                        yield Finding(f"asl:{kind}", template.where(logical_id), text)


def _text(value: Any) -> str:
    """Write a text of a template as it might be in an account."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::Join":
        return str(argument[0]).join(_text(part) for part in argument[1])
    named = argument if isinstance(argument, str) else "-".join(argument)
    return _PSEUDO.get(named) or f"arn:aws:service:{REGION}:{ACCOUNT}:{named}"


def checkov(templates: Iterable[Template], home: Path = HOME) -> Iterator[Finding]:
    """Return what checkov says of templates; it asks its makers for nothing."""
    by_file = {f"/{t.environment}/{t.stack}.template.json": t for t in templates}
    with tempfile.TemporaryDirectory() as scratch:
        for name, template in by_file.items():
            file = Path(scratch + name)
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(template.body), "utf-8")
        # fmt: off
        command = [
            str(home / "bin" / "checkov"), "--directory", scratch, "--framework", "cloudformation", "--skip-download",
            "--quiet", "--compact", "--output", "json",
        ]
        # fmt: on
        done = _run(command, accepted=(0, 1))
    report = json.loads(done.stdout)
    if report.get("summary", {}).get("parsing_errors", 0) or "results" not in report:
        raise LinterError(f"checkov could not read the templates: {report.get('summary', report)}")
    for check in report["results"]["failed_checks"]:
        template = by_file[check["file_path"]]
        where = template.where(check["resource"].rpartition(".")[2])
        yield Finding(f"checkov:{check['check_id']}", where, check["check_name"])


def zizmor(directory: Path, home: Path = HOME) -> Iterator[Finding]:
    """Return what zizmor says of workflows, and of Dependabot's configuration, below a directory."""
    command = [str(home / "bin" / "zizmor"), "--offline", "--no-progress", "--no-exit-codes", "--strict-collection"]
    done = _run([*command, "--persona", "pedantic", "--format", "json", str(directory)])
    for found in json.loads(done.stdout):
        key = found["locations"][0]["symbolic"]["key"]["Local"]["verbatim_path"]
        where = Path(key).resolve().relative_to(directory.resolve().parent)
        line = found["locations"][0]["concrete"]["location"]["start_point"]["row"] + 1
        yield Finding(f"zizmor:{found['ident']}", str(where), f"line {line}: {found['desc']}")


def _run(command: list[str], accepted: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LOG_LEVEL": "WARNING"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    except FileNotFoundError as error:
        raise LinterError(f"{command[0]} is not there: make lint-infra installs it first") from error
    if done.returncode not in accepted:
        raise LinterError(f"{Path(command[0]).name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done
