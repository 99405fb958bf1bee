"""Findings of the linters: each is mended or reasoned, and no reason outlives its finding."""

import json
from collections import Counter

import pytest

from tools.lint_infra import linters
from tools.lint_infra.__main__ import table
from tools.lint_infra.findings import (
    ENVIRONMENTS,
    Finding,
    Reason,
    ReasonsError,
    outdated,
    read_reasons,
    unreasoned,
)
from tools.lint_infra.synthesis import Template, read_templates, synthesise

HERE = Finding("checkov:CKV_1", "dev/pipeline/Load/Function", "no queue")
THERE = Finding("checkov:CKV_1", "prod/pipeline/Load/Function", "no queue")


@pytest.fixture(scope="module")
def assemblies(tmp_path_factory):
    directories = {name: tmp_path_factory.mktemp("assembly") / name for name in ENVIRONMENTS}
    for name, directory in directories.items():
        synthesise(name, directory)
    return directories


def _template(resource, **more):
    return Template("dev", "pipeline", {"Resources": {"A": resource}, **more})


def test_whatever_nag_and_cfn_lint_find_in_dev_and_prod_is_reasoned(assemblies):
    """The other tools stand in an environment of their own: ``make lint-infra`` runs all."""
    templates = [t for name, directory in assemblies.items() for t in read_templates(name, directory)]
    found = [
        *linters.cfn_lint(templates),
        *(f for name, directory in assemblies.items() for f in linters.nag(name, directory)),
    ]
    assert {f.tool for f in found} == {"cfn-lint", "NIST.800.53.R5"}, "both tools have looked"
    assert unreasoned(found, read_reasons()) == []
    assert outdated(found, read_reasons(), ("cfn-lint", "NIST.800.53.R5")) == []
    assert all(linters.acknowledged(directory) > 20 for directory in assemblies.values())


def test_the_place_of_a_finding_is_the_path_of_its_construct(assemblies):
    (storage,) = (t for t in read_templates("prod", assemblies["prod"]) if t.stack == "storage")
    places = {storage.where(name) for name, r in storage.body["Resources"].items() if r["Type"] == "AWS::S3::Bucket"}
    assert places == {f"prod/storage/{name}" for name in ("AccessLogs", "Ingestion", "Processed", "AthenaResults")}


def test_a_finding_needs_a_reason_of_its_rule_and_its_place():
    assert unreasoned([HERE, THERE], []) == [HERE, THERE]
    assert unreasoned([HERE, THERE], [Reason("checkov:CKV_1", "*/pipeline/*/Function", "so")]) == []
    assert unreasoned([HERE, THERE], [Reason("checkov:CKV_1", "dev/*", "so")]) == [THERE]
    assert unreasoned([HERE], [Reason("checkov:CKV_2", "*", "so"), Reason("checkov:CKV_1", "*/storage/*", "so")]) == [
        HERE
    ]


def test_a_reason_must_find_something_in_each_environment_that_it_speaks_of():
    assert outdated([HERE, THERE], [Reason("checkov:CKV_1", "*/pipeline/*", "so")], ("checkov",)) == []
    assert outdated([HERE], [Reason("checkov:CKV_1", "dev/pipeline/*", "so")], ("checkov",)) == []
    (told,) = outdated([HERE], [Reason("checkov:CKV_1", "*/pipeline/*", "so")], ("checkov",))
    assert "nothing is found in prod; name the environment" in told
    (told,) = outdated([HERE], [Reason("checkov:CKV_1", "dev/storage/*", "so")], ("checkov",))
    assert "nothing is found any more; remove it" in told
    assert outdated([], [Reason("checkov:CKV_1", "*", "so")], ("zizmor",)) == [], "checkov did not run"


@pytest.mark.parametrize(
    "entry",
    [
        'rules = ["a:b"]\nwhere = ["*"]',
        'rules = ["a:b"]\nwhere = ["*"]\nwhy = ""',
        'rules = []\nwhere = ["*"]\nwhy = "so"',
        'rules = ["a:b"]\nwhere = ["*"]\nwhy = "so"\nwho = "me"',
    ],
)
def test_an_entry_without_a_reason_is_refused(tmp_path, entry):
    file = tmp_path / "reasons.toml"
    file.write_text(f"[[stays]]\n{entry}\n")
    with pytest.raises(ReasonsError, match="an entry needs rules, where and why"):
        read_reasons(file)


def test_an_entry_speaks_of_each_of_its_rules_in_each_of_its_places(tmp_path):
    file = tmp_path / "reasons.toml"
    file.write_text('[[stays]]\nrules = ["a:1", "b:2"]\nwhere = ["x", "y"]\nwhy = "so"\n')
    pairs = [("a:1", "x"), ("a:1", "y"), ("b:2", "x"), ("b:2", "y")]
    assert read_reasons(file) == [Reason(rule, where, "so") for rule, where in pairs]


def test_the_table_counts_what_is_open():
    lines = table([HERE, THERE], [THERE], Counter(AwsSolutions=4)).splitlines()
    counts = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert counts["checkov"] == ["2", "1", "1"] and counts["AwsSolutions"] == ["4", "4", "0"]
    assert counts["zizmor"] == ["0", "0", "0"] and counts["all"] == ["6", "5", "1"]


def test_cfn_lint_finds_what_cloudformation_would_refuse():
    bucket = {
        "Type": "AWS::S3::Bucket",
        "Properties": {"Colour": "blue"},
        "Metadata": {"aws:cdk:path": "totesys-dev-pipeline/A/Resource"},
    }
    found = [*linters.cfn_lint([_template(bucket)])]
    assert [(f.rule, f.where) for f in found] == [("cfn-lint:E3002", "dev/pipeline/A")]
    (outside,) = linters.cfn_lint([_template({"Type": "AWS::SNS::Topic"}, Colour="blue")])
    assert outside.where.startswith("dev/pipeline/")


MACHINE = {
    "Type": "AWS::StepFunctions::StateMachine",
    "Properties": {
        "DefinitionString": {
            "Fn::Join": ["", ['{"Role":"', {"Fn::GetAtt": ["R", "Arn"]}, '","In":"', {"Ref": "AWS::Partition"}, '"}']]
        }
    },
}


def _script(home, name, text):
    file = home / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def test_the_state_machine_is_validated_with_texts_in_place_of_references(tmp_path):
    says = "console.log('✕ is invalid:\\n MISSING: ' + require('fs').readFileSync(process.argv[3], 'utf8')); process.exit(1)"
    _script(tmp_path, "node_modules/asl-validator/dist/bin/asl-validator.js", says)
    (found,) = linters.asl([_template(MACHINE)], tmp_path)
    assert (found.rule, found.where) == ("asl:MISSING", "dev/A")
    assert json.loads(found.text) == {"Role": "arn:aws:service:eu-west-2:111111111111:R-Arn", "In": "aws"}


def test_a_real_state_machine_that_leads_nowhere_is_found(assemblies):
    if not (linters.HOME / "node_modules" / "asl-validator").exists():
        pytest.skip("asl-validator is not installed: make lint-infra does it")
    (pipeline,) = (t for t in read_templates("dev", assemblies["dev"]) if t.stack == "pipeline")
    assert [*linters.asl([pipeline])] == []
    (machine,) = (r for r in pipeline.body["Resources"].values() if r["Type"] == "AWS::StepFunctions::StateMachine")
    text = json.dumps(machine["Properties"]["DefinitionString"])
    broken = {
        **machine["Properties"],
        "DefinitionString": json.loads(text.replace(r"\"Next\": \"Done\"", r"\"Next\": \"Gone\"")),
    }
    found = [*linters.asl([_template({**machine, "Properties": broken})])]
    assert any("Gone" in f.text for f in found), text[:500]


def test_what_checkov_finds_names_the_construct(tmp_path):
    failed = {
        "check_id": "CKV_1",
        "file_path": "/dev/pipeline.template.json",
        "resource": "AWS::S3::Bucket.A",
        "check_name": "n",
    }
    report = json.dumps({"summary": {"parsing_errors": 0}, "results": {"failed_checks": [failed]}})
    _script(tmp_path, "bin/checkov", f"#!/bin/sh\ncat <<'END'\n{report}\nEND\nexit 1\n")
    bucket = {"Type": "AWS::S3::Bucket", "Metadata": {"aws:cdk:path": "totesys-dev-pipeline/Given/Resource"}}
    assert [*linters.checkov([_template(bucket)], tmp_path)] == [Finding("checkov:CKV_1", "dev/pipeline/Given", "n")]


@pytest.mark.parametrize(
    "says", ['{"passed": 0}', '{"summary": {"parsing_errors": 1}, "results": {"failed_checks": []}}']
)
def test_checkov_that_has_read_nothing_has_found_nothing_either(tmp_path, says):
    _script(tmp_path, "bin/checkov", f"#!/bin/sh\necho '{says}'\n")
    with pytest.raises(linters.LinterError, match="could not read"):
        [*linters.checkov([_template({"Type": "AWS::SNS::Topic"})], tmp_path)]


def test_a_tool_that_breaks_or_is_not_there_is_no_clean_result(tmp_path):
    with pytest.raises(linters.LinterError, match="make lint-infra installs it"):
        [*linters.zizmor(tmp_path, tmp_path)]
    _script(tmp_path, "bin/zizmor", "#!/bin/sh\necho broken >&2\nexit 3\n")
    with pytest.raises(linters.LinterError, match=r"(?s)zizmor ended with 3.*broken"):
        [*linters.zizmor(tmp_path, tmp_path)]


def test_what_zizmor_finds_names_file_and_line(tmp_path):
    place = {"symbolic": {"key": {"Local": {"verbatim_path": str(tmp_path / "github" / "ci.yml")}}}}
    concrete = {"concrete": {"location": {"start_point": {"row": 6}}}}
    found = json.dumps([{"ident": "unpinned-uses", "desc": "unpinned", "locations": [place | concrete]}])
    _script(tmp_path, "bin/zizmor", f"#!/bin/sh\necho '{found}'\n")
    assert [*linters.zizmor(tmp_path / "github", tmp_path)] == [
        Finding("zizmor:unpinned-uses", "github/ci.yml", "line 7: unpinned")
    ]
