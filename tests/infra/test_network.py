"""The functions' network, its ways to AWS, and secrets that exist: as the settings say, and nothing is looked up."""

import json

import pytest
from aws_cdk.assertions import Match

from tests.infra.test_security import _composed

NETWORK = {
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "security_group_ids": "sg-01234567,sg-89abcdef",
}
ENDPOINTS = {"vpc_endpoints": "s3,secretsmanager,kms,logs,lambda", "route_table_ids": "rtb-01234567,rtb-89abcdef"}
#: The managed policy AWSLambdaVPCAccessExecutionRole has these, and those for logs.
INTERFACES = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]
SECRETS = {
    "source_secret_arn": "arn:aws:secretsmanager:eu-west-2:111111111111:secret:theirs/totesys-AbCdEf",
    "warehouse_secret_arn": "arn:aws:secretsmanager:eu-west-2:111111111111:secret:theirs/warehouse-AbCdEf",
}


def _found(template, kind, **properties):
    return [item["Properties"] for item in template.find_resources(kind, {"Properties": properties}).values()]


def _of_role(template, function, action):
    """The statements of a function's role that have an action."""
    (policy,) = [
        item
        for name, item in template.find_resources("AWS::IAM::Policy").items()
        if name.startswith(f"{function}RoleDefaultPolicy")
    ]
    return [s for s in policy["Properties"]["PolicyDocument"]["Statement"] if action in s["Action"]]


def _statements(template, function, action):
    """The statements of a function's role that have an action, by effect."""
    return {statement["Effect"]: statement for statement in _of_role(template, function, action)}


def _conditions_on_keys(template, function):
    """Under which conditions a function may use a key."""
    return [s["Condition"]["StringEquals"] for s in _of_role(template, function, "kms:Decrypt")]


def test_without_a_network_the_functions_are_in_none_and_may_make_no_interface(prod):
    pipeline = prod["pipeline"]
    for properties in _found(pipeline, "AWS::Lambda::Function"):
        assert "VpcConfig" not in properties
    assert "ec2:" not in json.dumps(pipeline.to_json())
    pipeline.resource_count_is("AWS::EC2::VPCEndpoint", 0)
    pipeline.resource_count_is("AWS::EC2::SecurityGroup", 0)


@pytest.mark.parametrize("function", ["Extract", "Load"])
def test_a_function_runs_in_the_subnets_and_only_lambda_makes_its_interfaces(synthesise, function):
    pipeline = synthesise(alarm_email="a@example.com", **NETWORK)["pipeline"]
    (properties,) = _found(
        pipeline, "AWS::Lambda::Function", FunctionName=f"totesys-prod-{function.lower()}", VpcConfig=Match.any_value()
    )
    assert properties["VpcConfig"] == {
        "SubnetIds": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "SecurityGroupIds": ["sg-01234567", "sg-89abcdef"],
    }
    found = _statements(pipeline, function, "ec2:CreateNetworkInterface")
    assert found["Allow"]["Action"] == found["Deny"]["Action"] == INTERFACES
    assert found["Allow"]["Resource"] == "*" and "Condition" not in found["Allow"]
    arn = f"arn:aws:lambda:eu-west-2:111111111111:function:totesys-prod-{function.lower()}"
    assert found["Deny"]["Condition"] == {"ArnEquals": {"lambda:SourceFunctionArn": arn}}
    pipeline.resource_count_is("AWS::EC2::VPCEndpoint", 0)


def test_endpoints_are_those_that_are_named(synthesise):
    pipeline = synthesise(alarm_email="a@example.com", **NETWORK, **ENDPOINTS)["pipeline"]
    found = {item["ServiceName"].split(".")[-1]: item for item in _found(pipeline, "AWS::EC2::VPCEndpoint")}
    assert found.keys() == {"s3", "secretsmanager", "kms", "logs", "lambda"}
    assert {item["VpcId"] for item in found.values()} == {NETWORK["vpc_id"]}
    assert found["lambda"]["ServiceName"] == "com.amazonaws.eu-west-2.lambda"
    gateway = found.pop("s3")
    assert gateway["VpcEndpointType"] == "Gateway" and gateway["RouteTableIds"] == ["rtb-01234567", "rtb-89abcdef"]
    for item in found.values():
        assert item["VpcEndpointType"] == "Interface" and item["PrivateDnsEnabled"] is True
        assert item["SubnetIds"] == NETWORK["subnet_ids"].split(",") and item["IpAddressType"] == "ipv4"
        assert len(item["SecurityGroupIds"]) == 1


def test_only_the_functions_reach_the_endpoints_and_only_by_https(synthesise):
    pipeline = synthesise(alarm_email="a@example.com", **NETWORK, vpc_endpoints="secretsmanager")["pipeline"]
    (group,) = _found(pipeline, "AWS::EC2::SecurityGroup")
    assert group["VpcId"] == NETWORK["vpc_id"] and "SecurityGroupIngress" not in group
    assert [rule["CidrIp"] for rule in group["SecurityGroupEgress"]] == ["255.255.255.255/32"]
    rules = _found(pipeline, "AWS::EC2::SecurityGroupIngress")
    assert {rule["SourceSecurityGroupId"] for rule in rules} == {"sg-01234567", "sg-89abcdef"}
    assert {(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in rules} == {("tcp", 443, 443)}


def test_an_endpoint_of_s3_alone_needs_no_security_group(synthesise):
    routes = {"vpc_endpoints": "s3", "route_table_ids": "rtb-01234567"}
    pipeline = synthesise(alarm_email="a@example.com", **NETWORK, **routes)["pipeline"]
    pipeline.resource_count_is("AWS::EC2::VPCEndpoint", 1)
    pipeline.resource_count_is("AWS::EC2::SecurityGroup", 0)


def test_a_secret_that_exists_is_used_and_its_key_for_it_only(synthesise):
    pipeline = synthesise(alarm_email="a@example.com", **SECRETS)["pipeline"]
    pipeline.resource_count_is("AWS::SecretsManager::Secret", 0)
    for function, name in (("Extract", "source"), ("Load", "warehouse")):
        arn = SECRETS[f"{name}_secret_arn"]
        (properties,) = _found(pipeline, "AWS::Lambda::Function", FunctionName=f"totesys-prod-{function.lower()}")
        assert properties["Environment"]["Variables"][f"{name.upper()}_SECRET"] == arn
        read = _statements(pipeline, function, "secretsmanager:GetSecretValue")["Allow"]
        assert read["Resource"] == arn and read["Action"] == "secretsmanager:GetSecretValue"
        (condition,) = (c for c in _conditions_on_keys(pipeline, function) if "secretsmanager" in c["kms:ViaService"])
        assert condition == {
            "kms:ViaService": "secretsmanager.eu-west-2.amazonaws.com",
            "kms:EncryptionContext:SecretARN": arn,
        }


def test_without_one_an_empty_secret_is_made_and_no_key_may_be_used(synthesise):
    pipeline = synthesise(env="dev", alarm_email="a@example.com")["pipeline"]
    for item in _found(pipeline, "AWS::SecretsManager::Secret"):
        assert item["GenerateSecretString"]["SecretStringTemplate"] == "{}"
        assert item["GenerateSecretString"]["GenerateStringKey"] == "unset"
    pipeline.resource_count_is("AWS::SecretsManager::Secret", 2)
    assert _statements(pipeline, "Load", "kms:Decrypt") == {}


def test_no_finding_is_left(tmp_path):
    _composed(tmp_path, env="prod", **NETWORK, **ENDPOINTS, **SECRETS).synth()
    report = json.loads((tmp_path / "validation-report.json").read_text())
    assert report["pluginReports"] == []
    assert not (tmp_path / "manifest.json").read_text().count('"missing"')  # nothing was looked up
