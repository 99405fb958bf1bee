"""Network, subscriptions, Quick Sight, quotas, key, Lake Formation: each fault is found, with its remedy."""

import json

import pytest

from operate.doctor.checks.alarms import check_sms, check_subscriptions
from operate.doctor.checks.governance import check_key, check_lake_formation
from operate.doctor.checks.network import check_network
from operate.doctor.checks.quicksight import check_quicksight
from operate.doctor.checks.quotas import check_concurrency, check_glue
from operate.doctor.kinds import Kind
from tests.support.aws import FakeAws, Refused
from tests.support.doctor import ACCOUNT, REGION, kinds, platform, secret, texts

VPC, SUBNETS, GROUP = "vpc-0123456789abcdef0", ("subnet-00000001", "subnet-00000002"), "sg-00000001"
NETWORK = {"vpc_id": VPC, "subnet_ids": SUBNETS, "security_group_ids": GROUP}
NAT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}
INTERNET = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}
LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
ALL_OUT = {"IpProtocol": "-1"}


def _tcp(first, last):
    return {"IpProtocol": "tcp", "FromPort": first, "ToPort": last}


def _table(*routes, subnet=None, number="rtb-00000001"):
    return {
        "RouteTableId": number,
        "Routes": list(routes),
        "Associations": [{"SubnetId": subnet} if subnet else {"Main": True}],
    }


PRIVATE = (_table(LOCAL, NAT),)


def _endpoint(service, kind="Interface", tables=(), dns=True):
    name = f"com.amazonaws.{REGION}.{service}"
    return {"ServiceName": name, "VpcEndpointType": kind, "RouteTableIds": list(tables), "PrivateDnsEnabled": dns}


def _network(*, zones="ab", vpc=VPC, tables=PRIVATE, endpoints=(), egress=(ALL_OUT,), dns=True, group_vpc=VPC):
    def subnet(asked):
        (name,) = asked["SubnetIds"]
        zone = zones[SUBNETS.index(name)]
        return {"Subnets": [{"SubnetId": name, "VpcId": vpc, "AvailabilityZone": f"{REGION}{zone}"}]}

    return {
        "DescribeSubnets": subnet,
        "DescribeRouteTables": {"RouteTables": list(tables)},
        "DescribeVpcEndpoints": {"VpcEndpoints": list(endpoints)},
        "DescribeSecurityGroups": {
            "SecurityGroups": [{"GroupId": GROUP, "VpcId": group_vpc, "IpPermissionsEgress": list(egress)}]
        },
        "DescribeVpcAttribute": lambda asked: {asked["Attribute"][0].upper() + asked["Attribute"][1:]: {"Value": dns}},
        "GetSecretValue": lambda asked: secret(port=6432 if "source" in asked["SecretId"] else 5433),
    }


THREE = tuple(map(_endpoint, ("s3", "secretsmanager", "lambda")))


@pytest.mark.parametrize(
    ("network", "settings", "expected"),
    [
        (_network(), {}, []),
        (_network(zones="aa"), {}, [Kind.ONE_ZONE]),
        (_network(vpc="vpc-00000002"), {}, [Kind.SUBNET_WRONG] * 2),
        (_network() | {"DescribeSubnets": Refused("InvalidSubnetID.NotFound")}, {}, [Kind.SUBNET_WRONG] * 2),
        (_network(tables=[_table(LOCAL)]), {}, [Kind.NO_ROUTE] * 3),
        (_network(tables=[_table(LOCAL, INTERNET)]), {}, [Kind.NO_ROUTE] * 3),
        (_network(tables=[_table(LOCAL, NAT | {"State": "blackhole"})]), {}, [Kind.NO_ROUTE] * 3),
        (_network(tables=[_table(LOCAL, NAT), _table(LOCAL, subnet=SUBNETS[1])]), {}, [Kind.NO_ROUTE] * 3),
        (_network(tables=[_table(LOCAL), *(_table(NAT, subnet=s) for s in SUBNETS)]), {}, []),
        (_network(tables=[_table(LOCAL)], endpoints=THREE), {}, []),
        (_network(tables=[_table(LOCAL)], endpoints=THREE[1:]), {}, [Kind.NO_ROUTE]),
        (_network(tables=[_table(LOCAL)], endpoints=THREE, dns=False), {}, [Kind.NO_DNS]),
        (
            _network(tables=[_table(LOCAL)], endpoints=[*THREE[1:], _endpoint("s3", dns=False)]),
            *({}, [Kind.NO_ROUTE]),
        ),
        (_network(dns=False), {}, []),
        (
            _network(tables=[_table(LOCAL)], endpoints=[*THREE[1:], _endpoint("s3", "Gateway", ["rtb-00000001"])]),
            *({}, []),
        ),
        (
            _network(tables=[_table(LOCAL)], endpoints=[*THREE[1:], _endpoint("s3", "Gateway", ["rtb-00000009"])]),
            *({}, [Kind.NO_ROUTE]),
        ),
        (
            _network(tables=[_table(LOCAL)]),
            {"vpc_endpoints": "s3,secretsmanager,lambda", "route_table_ids": "rtb-00000001"},
            [],
        ),
        (
            _network(tables=[_table(LOCAL)]),
            {"vpc_endpoints": "s3,secretsmanager,lambda", "route_table_ids": "rtb-00000009"},
            [Kind.NO_ROUTE],
        ),
        (_network(egress=[]), {}, [Kind.NO_EGRESS]),
        (_network(egress=[_tcp(443, 443), _tcp(5433, 6432)]), {}, []),
        (_network(egress=[_tcp(443, 443), _tcp(5432, 5433)]), {}, [Kind.NO_EGRESS]),
        (_network(egress=[_tcp(5433, 6432)]), {}, [Kind.NO_EGRESS]),
        (_network(egress=[{"IpProtocol": "udp", "FromPort": 0, "ToPort": 65535}]), {}, [Kind.NO_EGRESS]),
        (_network(group_vpc="vpc-00000002"), {}, [Kind.SECURITY_GROUP_WRONG, Kind.NO_EGRESS]),
        (
            _network() | {"DescribeSecurityGroups": Refused("InvalidGroup.NotFound")},
            *({}, [Kind.SECURITY_GROUP_WRONG, Kind.NO_EGRESS]),
        ),
    ],
)
def test_the_network_of_the_functions(network, settings, expected):
    assert kinds(check_network(platform(network, **NETWORK, **settings))) == expected


def test_a_network_that_is_wrong_is_named_with_what_to_do():
    bad = _network(
        tables=[_table(LOCAL, NAT), _table(LOCAL, subnet=SUBNETS[1])], egress=[_tcp(443, 443), _tcp(5433, 5433)]
    )
    found = texts(check_network(platform(bad, **NETWORK)))
    assert f"{SUBNETS[1]}: no route to s3" in found and SUBNETS[0] not in found
    assert "set vpc_endpoints to secretsmanager,s3,lambda" in found
    assert "lets the functions out to the source's port" in found and "6432" not in found
    assert f"--group-id {GROUP}" in found


def test_without_a_network_nothing_is_asked():
    assert kinds(check_network(platform({}))) == []
    assert FakeAws.current.asked == []


def _subscriptions(*arns):
    found = [{"SubscriptionArn": arn, "Protocol": "email", "Endpoint": "ann@totes.co.uk"} for arn in arns]
    return {"ListSubscriptionsByTopic": {"Subscriptions": found}}


@pytest.mark.parametrize(
    ("answers", "settings", "expected"),
    [
        (_subscriptions("arn:1"), {}, []),
        (_subscriptions(), {}, []),
        (_subscriptions(), {"alarm_email": "ann@totes.co.uk"}, [Kind.NOBODY_SUBSCRIBED]),
        (_subscriptions("PendingConfirmation"), {}, [Kind.NOBODY_SUBSCRIBED]),
        (_subscriptions("PendingConfirmation", "arn:1"), {}, [Kind.UNCONFIRMED]),
        ({"ListSubscriptionsByTopic": Refused("NotFound")}, {"alarm_email": "ann@totes.co.uk"}, []),
    ],
)
def test_subscriptions_are_confirmed(answers, settings, expected):
    found = list(check_subscriptions(platform(answers, **settings)))
    assert kinds(found) == expected and "ann@" not in texts(found)
    assert FakeAws.current.asked[0][1]["TopicArn"] == f"arn:aws:sns:{REGION}:{ACCOUNT}:totesys-dev-alarms"


def _sms(sandbox, limit, *verified):
    numbers = [{"PhoneNumber": number, "Status": "Verified"} for number in verified]
    return {
        "GetSMSSandboxAccountStatus": {"IsInSandbox": sandbox},
        "ListSMSSandboxPhoneNumbers": {
            "PhoneNumbers": [*numbers, {"PhoneNumber": "+441632960123", "Status": "Pending"}]
        },
        "GetSMSAttributes": {"attributes": {"MonthlySpendLimit": limit} if limit else {}},
    }


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (_sms(False, "20"), []),
        (_sms(True, "20"), [Kind.SMS_SANDBOX]),
        (_sms(True, "20", "+441632960123"), []),
        (_sms(False, "1"), [Kind.SMS_SPEND]),
        (_sms(False, None), [Kind.SMS_SPEND]),
    ],
)
def test_sms_reach_the_numbers(answers, expected):
    found = list(check_sms(platform(answers, alarm_phone="+441632960123")))
    assert kinds(found) == expected and "+44" not in texts(found)
    assert kinds(check_sms(platform({}))) == []


USER = f"arn:aws:quicksight:us-east-1:{ACCOUNT}:user/default/Admin/ann"
GROUP_ARN = f"arn:aws:quicksight:us-east-1:{ACCOUNT}:group/default/readers"
RULES = f"arn:aws:quicksight:{REGION}:{ACCOUNT}:dataset/rules"


def _quicksight(edition="ENTERPRISE", status="ACCOUNT_CREATED", **changes):
    return {
        "DescribeAccountSubscription": {"AccountInfo": {"Edition": edition, "AccountSubscriptionStatus": status}},
        "DescribeUser": {},
        "DescribeGroup": {},
        "DescribeDataSet": {},
    } | changes


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (_quicksight(), []),
        (_quicksight("STANDARD"), [Kind.QUICKSIGHT_EDITION]),
        (_quicksight(status="UNSUBSCRIBED"), [Kind.QUICKSIGHT_ACCOUNT]),
        ({"DescribeAccountSubscription": Refused("ResourceNotFoundException")}, [Kind.QUICKSIGHT_ACCOUNT]),
        (_quicksight(DescribeUser=Refused("ResourceNotFoundException")), [Kind.QUICKSIGHT_PRINCIPAL]),
        (_quicksight(DescribeGroup=Refused("ResourceNotFoundException")), [Kind.QUICKSIGHT_PRINCIPAL]),
        (_quicksight(DescribeDataSet=Refused("ResourceNotFoundException")), [Kind.QUICKSIGHT_PRINCIPAL]),
    ],
)
def test_quick_sight_knows_whom_the_settings_name(answers, expected):
    named = {
        "quicksight_principal": USER,
        "quicksight_readers": GROUP_ARN,
        "quicksight_row_level_data_set": RULES,
    }
    assert kinds(check_quicksight(platform(answers, **named))) == expected
    asked = dict(FakeAws.current.asked)
    if not expected:
        assert asked["DescribeUser"] == {"AwsAccountId": ACCOUNT, "Namespace": "default", "UserName": "Admin/ann"}
        assert asked["DescribeGroup"]["GroupName"] == "readers" and asked["DescribeDataSet"]["DataSetId"] == "rules"
    assert kinds(check_quicksight(platform({}))) == []


def _limit(left, reserved=None):
    return {
        "GetAccountSettings": {"AccountLimit": {"ConcurrentExecutions": left, "UnreservedConcurrentExecutions": left}},
        "GetFunctionConcurrency": reserved or Refused("ResourceNotFoundException"),
    }


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (_limit(101), []),
        (_limit(100), [Kind.CONCURRENCY]),
        (_limit(10), [Kind.CONCURRENCY]),
        (_limit(100, {"ReservedConcurrentExecutions": 1}), []),
    ],
)
def test_concurrency_that_would_be_left(answers, expected):
    assert kinds(check_concurrency(platform(answers, reserve_concurrency=True))) == expected
    assert kinds(check_concurrency(platform({}))) == []


def _quota(value, name="Max task dpus per account"):
    return {"ListServiceQuotas": {"Quotas": [{"QuotaName": "Jobs", "Value": 1.0}, {"QuotaName": name, "Value": value}]}}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (_quota(10.0), []),
        (_quota(9.0), [Kind.GLUE_CAPACITY]),
        (_quota(10.0, "Others"), [Kind.NOT_CHECKED]),
    ],
)
def test_glues_quota_is_enough_for_the_workers(answers, expected):
    assert kinds(check_glue(platform(answers, glue_workers=10))) == expected


KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"


def _key(
    state="Enabled", spec="SYMMETRIC_DEFAULT", policy=("cloudwatch.amazonaws.com", f"logs.{REGION}.amazonaws.com")
):
    return {
        "DescribeKey": {"KeyMetadata": {"KeyId": "1", "KeyState": state, "KeySpec": spec}},
        "GetKeyPolicy": {"Policy": json.dumps({"Statement": [{"Principal": {"Service": list(policy)}}]})},
    }


@pytest.mark.parametrize(
    ("answers", "key", "expected"),
    [
        (_key(), KEY, []),
        (_key("Disabled"), KEY, [Kind.KEY_UNUSABLE]),
        (_key("PendingDeletion"), KEY, [Kind.KEY_UNUSABLE]),
        (_key(spec="RSA_2048"), KEY, [Kind.KEY_UNUSABLE]),
        (_key(), KEY.replace(REGION, "us-east-1"), [Kind.KEY_UNUSABLE]),
        (_key(policy=["cloudwatch.amazonaws.com"]), KEY, [Kind.KEY_POLICY]),
        ({"DescribeKey": Refused("NotFoundException")}, KEY, [Kind.KEY_MISSING]),
        ({}, None, []),
    ],
)
def test_the_key_of_the_settings(answers, key, expected):
    assert kinds(check_key(platform(answers, key_arn=key))) == expected


def test_a_customers_key_lets_eventbridge_reach_the_dead_letter_queue():
    policy = ("cloudwatch.amazonaws.com", f"logs.{REGION}.amazonaws.com")
    for services, expected in ((policy, [Kind.KEY_POLICY]), ((*policy, "events.amazonaws.com"), [])):
        assert kinds(check_key(platform(_key(policy=services), key_arn=KEY, customer_key=True))) == expected


OPEN = [{"Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}, "Permissions": ["ALL"]}]


@pytest.mark.parametrize(
    ("databases", "tables", "expected"),
    [(OPEN, OPEN, []), ([], OPEN, [Kind.LAKE_FORMATION]), (OPEN, [], [Kind.LAKE_FORMATION])],
)
def test_lake_formation_is_in_force(databases, tables, expected):
    settings = {"CreateDatabaseDefaultPermissions": databases, "CreateTableDefaultPermissions": tables}
    answers = {"GetDataLakeSettings": {"DataLakeSettings": settings}}
    assert kinds(check_lake_formation(platform(answers))) == expected
