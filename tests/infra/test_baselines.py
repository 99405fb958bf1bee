"""The templates of dev and prod are those that were reviewed, and two syntheses are the same to the byte."""

import base64
import difflib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.home import ROOT

BASELINES = Path(__file__).parent / "baselines"
ENVIRONMENTS = ("dev", "prod")
ACCOUNT = "111111111111"
ASSET = r"\b[0-9a-f]{64}\b"
#: What stands in a baseline where code or the account would.
MASKS = {ASSET: "ASSET", ACCOUNT: "ACCOUNT"}


def baseline(template):
    """Write a template so that a difference can be read: sorted, a line for each value, documents in it as documents."""
    text = json.dumps(readable(template), indent=1, sort_keys=True, ensure_ascii=False)
    for pattern, name in MASKS.items():
        text = re.sub(pattern, name, text)
    return text + "\n"


def readable(value):
    """Put documents that a template has as text in their places: the state machine, inputs of schedules, views."""
    if isinstance(value, list):
        items = [readable(item) for item in value]
        # CDK sorts a policy's resources by their names, and the name of an asset is the digest of its code.
        has_asset = any(isinstance(item, str) and re.search(ASSET, item) for item in items)
        return sorted(items, key=lambda item: re.sub(ASSET, "", str(item))) if has_asset else items
    if isinstance(value, dict):
        if list(value) == ["Fn::Join"] and value["Fn::Join"][0] == "" and value["Fn::Join"][1][0].__class__ is str:
            joined = "".join(part if isinstance(part, str) else reference(part) for part in value["Fn::Join"][1])
            return readable(joined)
        return {name: readable(item) for name, item in value.items()}
    if isinstance(value, str):
        if shown := re.fullmatch(r"/\* Presto View: (\S+) \*/", value):
            return {"Presto View": readable(base64.b64decode(shown[1]).decode())}
        if value.startswith("{"):
            return json.loads(value)
    return value


def reference(part):
    ((function, argument),) = part.items()
    return f"<{function.removeprefix('Fn::')} {'.'.join(argument) if isinstance(argument, list) else argument}>"


def synthesised(directory, environment):
    """Synthesise in a process of its own; return the templates and everything else beside the assets, by name."""
    settings = {"env": environment, "lambda_wheels": False, "account": ACCOUNT, "region": "eu-west-2"}
    variables = {**os.environ, "CDK_OUTDIR": str(directory), "CDK_CONTEXT_JSON": json.dumps(settings)}
    command = [sys.executable, "app.py"]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return {
        file.relative_to(directory).as_posix(): file.read_bytes() for file in directory.rglob("*") if file.is_file()
    }


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def environment(request, tmp_path_factory):
    """An environment's name and the files of its synthesis."""
    return request.param, synthesised(tmp_path_factory.mktemp(request.param), request.param)


def templates(files):
    found = {name: content for name, content in files.items() if name.endswith(".template.json")}
    return {name.split("-", 2)[2].split(".")[0] + ".json": baseline(json.loads(text)) for name, text in found.items()}


def differences(expected, found):
    lines = []
    for name in sorted({*expected, *found}):
        before, after = (texts.get(name, "").splitlines() for texts in (expected, found))
        lines += difflib.unified_diff(before, after, f"reviewed/{name}", f"synthesised/{name}", lineterm="", n=4)
    return "\n".join(lines)


def test_templates_are_those_that_were_reviewed(environment):
    name, files = environment
    found, directory = templates(files), BASELINES / name
    if os.environ.get("WRITE_BASELINES"):
        directory.mkdir(parents=True, exist_ok=True)
        for file in directory.glob("*.json"):
            file.unlink()
        for file, text in found.items():
            (directory / file).write_text(text, "utf-8")
    expected = {file.name: file.read_text("utf-8") for file in directory.glob("*.json")}
    if told := differences(expected, found):
        pytest.fail(
            f"The templates of {name} differ. When that is meant: make baselines, and read the difference.\n{told}",
            pytrace=False,
        )


def test_two_syntheses_in_two_processes_and_directories_are_the_same_to_the_byte(environment, tmp_path):
    name, files = environment
    again = synthesised(tmp_path / "elsewhere" / "with a longer name", name)
    assert set(again) == set(files) and len(templates(files)) == 5
    assert [file for file, content in files.items() if again[file] != content] == []


def test_a_difference_is_shown_line_by_line():
    before = {"storage.json": baseline({"Resources": {"A": {"Type": "T", "Size": 1}}})}
    after = {"storage.json": baseline({"Resources": {"A": {"Type": "T", "Size": 2}}}), "new.json": baseline({})}
    told = differences(before, after).splitlines()
    assert '-   "Size": 1,' in told and '+   "Size": 2,' in told and "+++ synthesised/new.json" in told
    assert differences(before, before) == ""


def test_code_and_account_do_not_stand_in_a_baseline():
    text = baseline({"Key": f"{'a1' * 32}.zip", "Arn": f"arn:aws:iam::{ACCOUNT}:role/r"})
    assert json.loads(text) == {"Key": "ASSET.zip", "Arn": "arn:aws:iam::ACCOUNT:role/r"}


def test_documents_in_a_template_are_shown_as_documents():
    view = base64.b64encode(b'{"originalSql": "select 1"}').decode()
    joined = {"Fn::Join": ["", ['{"Resource": "', {"Fn::GetAtt": ["F", "Arn"]}, '"}']]}
    assert readable({"View": f"/* Presto View: {view} */", "Machine": joined, "Input": '{"a": 1}'}) == {
        "View": {"Presto View": {"originalSql": "select 1"}},
        "Machine": {"Resource": "<GetAtt F.Arn>"},
        "Input": {"a": 1},
    }


def test_the_digest_of_code_does_not_order_a_baseline():
    one, other = "a" * 64, "b" * 64
    assert baseline([f"{one}.py", f"{other}.zip", "x"]) == baseline([f"{one}.zip", f"{other}.py", "x"][::-1])
