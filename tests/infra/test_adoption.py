"""What outlives its stack, and how the next deployment takes it over."""

import json

import pytest

from cdk_app.settings import BUCKETS, STACKS
from tests.infra.conftest import KEY, SECRETS

#: Where a physical name stands in a resource's properties.
NAMES = ("BucketName", "AliasName", "Name")


def resources(templates):
    return {
        f"{stack}/{name}": resource
        for stack, template in templates.items()
        for name, resource in template.to_json()["Resources"].items()
    }


def of_type(templates, kind):
    return [r["Properties"] for r in resources(templates).values() if r["Type"] == kind]


def plain(value, arns):
    """Write a resolved value with the ARNs and names that references stand for."""
    if isinstance(value, list):
        return [plain(item, arns) for item in value]
    if not isinstance(value, dict):
        return value
    if "Fn::GetAtt" in value:
        return arns[value["Fn::GetAtt"][0]]
    if "Ref" in value:
        return arns[value["Ref"]].rpartition(":")[2]
    if "Fn::Join" in value:
        return "".join(plain(part, arns) for part in value["Fn::Join"][1])
    return {name: plain(item, arns) for name, item in value.items()}


@pytest.fixture
def adopting(synthesise):
    return synthesise(alarm_email="data@example.com", adopt="true", key_arn=KEY, **SECRETS)


def test_data_and_what_is_needed_to_read_it_outlive_their_stacks_and_nothing_else(prod):
    kept = {}
    for name, resource in resources(prod).items():
        if (policy := resource.get("DeletionPolicy", "Delete")) != "Delete":
            assert (policy, resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain"), name
            properties = resource["Properties"]
            names = [properties[n] for n in NAMES if n in properties]
            kept[name.partition("/")[0], resource["Type"], *map(str, names)] = properties
    found = {(stack, kind.removeprefix("AWS::"), *names) for stack, kind, *names in kept}
    buckets = {("storage", "S3::Bucket", f"totesys-prod-{name}-111111111111-eu-west-2") for name in BUCKETS}
    secrets = {("pipeline", "SecretsManager::Secret", f"totesys-prod/{name}") for name in ("source", "warehouse")}
    rest = {("storage", "KMS::Key"), ("storage", "KMS::Alias", "alias/totesys-prod"), ("catalog", "Glue::Database")}
    assert found == buckets | secrets | rest
    (database,) = (p for (_, kind, *_), p in kept.items() if kind == "AWS::Glue::Database")
    assert database["DatabaseInput"]["Name"] == "totesys"


def test_nothing_outlives_its_stack_where_data_is_not_kept(synthesise):
    templates = synthesise(env="dev")
    assert {r.get("DeletionPolicy", "Delete") for r in resources(templates).values()} == {"Delete"}


def test_names_of_stacks_and_buckets_are_those_of_the_templates(prod):
    assert tuple(prod) == STACKS
    names = [p["BucketName"] for p in of_type(prod, "AWS::S3::Bucket")]
    assert sorted(names) == sorted(f"totesys-prod-{name}-111111111111-eu-west-2" for name in BUCKETS)


def test_an_adopting_deployment_makes_nothing_that_is_left(prod, adopting):
    made = {kind: len(of_type(prod, kind)) for kind in {r["Type"] for r in resources(prod).values()}}
    makes = {kind: len(of_type(adopting, kind)) for kind in {r["Type"] for r in resources(adopting).values()}}
    differs = {kind: (made[kind], makes.get(kind, 0)) for kind in made if made[kind] != makes.get(kind, 0)}
    assert differs == {
        "AWS::S3::Bucket": (4, 0),
        "AWS::KMS::Key": (1, 0),
        "AWS::KMS::Alias": (1, 0),
        "AWS::SecretsManager::Secret": (2, 0),
        "AWS::Glue::Database": (2, 1),
    }
    (database,) = of_type(adopting, "AWS::Glue::Database")
    assert database["DatabaseInput"]["Name"] == "totesys_raw"


def test_views_and_raw_tables_are_made_again_as_they_were(prod, adopting):
    arns = bucket_arns(prod)
    tables = [plain(p, arns) for p in of_type(imports_resolved(prod), "AWS::Glue::Table")]
    assert tables and of_type(adopting, "AWS::Glue::Table") == tables


def test_the_policies_of_adopted_buckets_are_put_again_as_they_were(prod, adopting):
    arns = bucket_arns(prod)
    expected = [plain(p, arns) for p in of_type(prod, "AWS::S3::BucketPolicy")]
    found = of_type(adopting, "AWS::S3::BucketPolicy")
    assert len(expected) == 4
    assert sorted(map(normal, found)) == sorted(map(normal, expected))


def test_everything_else_works_with_the_same_buckets(prod, adopting):
    """Stacks that use the buckets differ in how they refer to them only, and in the secrets."""
    arns = bucket_arns(prod)
    expected = {name: plain(p, arns) for name, p in environments(imports_resolved(prod)).items()}
    found = environments(adopting)
    for name, secret in (("extract", "source"), ("load", "warehouse")):
        function, variable = f"totesys-prod-{name}", f"{secret.upper()}_SECRET"
        assert found[function].pop(variable) == SECRETS[f"{secret}_secret_arn"]
        expected[function].pop(variable)
    assert found == expected and len(found) == 3


def environments(templates):
    functions = of_type(templates, "AWS::Lambda::Function")
    return {f["FunctionName"]: dict(f["Environment"]["Variables"]) for f in functions}


def bucket_arns(templates):
    """Return what a reference to a bucket stands for; one to a secret, whose ARN AWS makes, is not compared."""
    found = templates["storage"].find_resources("AWS::S3::Bucket").items()
    secrets = templates["pipeline"].find_resources("AWS::SecretsManager::Secret")
    return {
        **{name: f"arn:aws:s3:::{resource['Properties']['BucketName']}" for name, resource in found},
        **dict.fromkeys(secrets, "a secret"),
    }


def normal(policy):
    """The order of statements, and of what one lists, means nothing; nor does the principal's spelling."""
    statements = policy["PolicyDocument"]["Statement"]
    return policy["Bucket"] + " ".join(sorted(json.dumps(statement, sort_keys=True) for statement in statements))


class _Resolved:
    """A template whose imports are the exported references themselves."""

    def __init__(self, template, exports):
        self._text = resolve(template.to_json(), exports)

    def to_json(self):
        return self._text


def imports_resolved(templates):
    exports = {
        output["Export"]["Name"]: output["Value"]
        for template in templates.values()
        for output in template.to_json().get("Outputs", {}).values()
        if "Export" in output
    }
    return {stack: _Resolved(template, exports) for stack, template in templates.items()}


def resolve(value, exports):
    if isinstance(value, list):
        return [resolve(item, exports) for item in value]
    if not isinstance(value, dict):
        return value
    if "Fn::ImportValue" in value:
        return exports[value["Fn::ImportValue"]]
    return {name: resolve(item, exports) for name, item in value.items()}
