"""What doctor looks for has the names, and needs the bootstrap version, that the templates say."""

import json

from cdk_app.settings import BUCKETS, STACKS, Settings
from operate.doctor.checks.account import BOOTSTRAP_VERSION
from operate.doctor.platform import Platform
from tests.infra.conftest import OVERRIDES

PLATFORM = Platform(Settings(environment="dev"), lambda *_: None, OVERRIDES["account"], OVERRIDES["region"])


def _names(template, kind, attribute):
    return {r["Properties"].get(attribute) for r in template.find_resources(kind).values()}


def test_doctor_looks_for_what_the_deployment_makes(synthesise):
    dev = synthesise(env="dev")
    assert set(dev) == set(STACKS)
    assert _names(dev["storage"], "AWS::S3::Bucket", "BucketName") == set(map(PLATFORM.bucket, BUCKETS))
    secrets = _names(dev["pipeline"], "AWS::SecretsManager::Secret", "Name")
    assert secrets == {PLATFORM.secret("source"), PLATFORM.secret("warehouse")}
    assert PLATFORM.function("extract") in _names(dev["pipeline"], "AWS::Lambda::Function", "FunctionName")
    topics = _names(dev["alerting"], "AWS::SNS::Topic", "TopicName")
    assert topics == {PLATFORM.topic.rsplit(":", 1)[1]}


def test_the_bootstrap_version_is_the_one_that_the_templates_demand(synthesise):
    for template in synthesise(env="dev").values():
        rule = json.dumps(template.to_json()["Rules"]["CheckBootstrapVersion"])
        refused = [str(version) for version in range(1, 40) if f'"{version}"' in rule]
        assert refused == [str(version) for version in range(1, BOOTSTRAP_VERSION)]
