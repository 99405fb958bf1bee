"""Settings: validated once, and told by name when they are wrong."""

import pytest
from pydantic import ValidationError

from cdk_app.setting_types import EXAMPLES
from cdk_app.settings import Settings, SettingsError, read_settings

PROD = {"account": "111122223333", "region": "eu-west-2", "alarm_email": "data@example.com"}
ENVIRONMENTS = {"dev": {}, "prod": {"glue_workers": 10, **PROD}}
KEY = "arn:aws:kms:eu-west-2:111122223333:key/1234abcd"
NETWORK = {
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": "subnet-0123456789abcdef0",
    "security_group_ids": "sg-01234567",
}


def test_the_environment_is_dev_unless_named():
    assert read_settings({}, ENVIRONMENTS).environment == "dev"
    assert read_settings({"env": "prod"}, ENVIRONMENTS).glue_workers == 10


def test_the_command_line_wins():
    assert read_settings({"env": "prod", "glue_workers": "4"}, ENVIRONMENTS).glue_workers == 4


@pytest.mark.parametrize(
    ("context", "problem"),
    [
        ({"env": "moon"}, "moon"),
        ({"alarm_email": "nobody"}, "alarm_email"),
        ({"alarm_email": "a@example.com,nobody"}, "alarm_email.1.*'nobody'"),
        ({"alarm_phone": "0123"}, "alarm_phone.*'0123'"),
        ({"account": "123"}, "account"),
        ({"runbooks": "docs/runbooks"}, "runbooks"),
        ({"tags": "environment=x"}, "tags.*'environment', which AWS or the platform keeps"),
        ({"tags": "aws:x=y"}, "tags"),
        ({"permissions_boundary": "boundary"}, "permissions_boundary"),
        ({"vpc_id": "vpc-1"}, "vpc_id"),
        ({"vpc_id": NETWORK["vpc_id"]}, "vpc_id is set: set subnet_ids and security_group_ids as well"),
        ({"vpc_endpoints": "logs"}, "vpc_endpoints is set: set vpc_id and subnet_ids and security_group_ids"),
        (NETWORK | {"vpc_endpoints": "dynamodb"}, "vpc_endpoints"),
        (NETWORK | {"vpc_endpoints": "s3"}, "vpc_endpoints s3 and route_table_ids go together"),
        (NETWORK | {"route_table_ids": "rtb-01234567"}, "vpc_endpoints s3 and route_table_ids go together"),
        ({"source_secret_arn": "source"}, "source_secret_arn"),
        ({"key_arn": "key"}, "key_arn"),
        ({"adopt": "true"}, "adopt is set: set keep_data and key_arn"),
        ({"adopt": "true", "key_arn": KEY, "keep_data": "false", "confirm_destroy": "dev"}, "adopt is set"),
        ({"publish_minutes": 31}, "publish_minutes"),
        ({"load_seconds": 9}, "load_seconds"),
        ({"extract_minutes": 60}, "extract_minutes"),
        ({"source_tls": "maybe"}, "source_tls"),
        ({"ledger_schema": "etl%s"}, "ledger_schema"),
        ({"give_way_seconds": 0}, "give_way_seconds"),
        ({"give_way_seconds": "61"}, "give_way_seconds"),
        ({"keep_data": False}, "confirm_destroy"),
        ({"quicksight_principal": "me"}, "quicksight_principal"),
        ({"quicksight_readers": "arn:aws:quicksight:eu-west-2:111111111111:user/default/me"}, "quicksight_readers"),
        ({"quicksight_source": "source"}, "quicksight_source"),
        ({"quicksight_source": "warehouse"}, "set quicksight_warehouse_host and quicksight_warehouse_database"),
        ({"quicksight_source": "warehouse", "quicksight_warehouse_host": "h"}, "set quicksight_warehouse_database as"),
        ({"quicksight_warehouse_port": 0}, "quicksight_warehouse_port"),
        ({"quicksight_vpc_connection": "vpc-1"}, "quicksight_vpc_connection"),
        ({"quicksight_mode": "memory"}, "quicksight_mode"),
        ({"quicksight_refresh_minutes": 15}, "quicksight_refresh_minutes.*60 or 1440"),
        ({"quicksight_row_level_data_set": "rules"}, "quicksight_row_level_data_set"),
    ],
)
def test_what_is_wrong_is_named(context, problem):
    with pytest.raises(SettingsError, match=problem):
        read_settings(context, ENVIRONMENTS)


@pytest.mark.parametrize("field", Settings.model_fields)
def test_a_value_that_follows_no_pattern_is_told_with_one_that_does(field):
    try:
        read_settings({field: "%?"}, {"dev": {}})
    except SettingsError as error:
        assert "should match pattern" not in str(error) and "Value error" not in str(error)
        assert ("does not look like" in str(error)) == (field in EXAMPLES)
        assert field == "confirm_destroy" or field in str(error)


@pytest.mark.parametrize(("field", "example"), EXAMPLES.items())
def test_the_examples_are_usable(field, example):
    given = {"vpc_id", "subnet_ids", "security_group_ids"}
    network = {name: EXAMPLES[name] for name in given} if field in given | {"route_table_ids"} else {}
    endpoints = {"vpc_endpoints": "s3"} if field == "route_table_ids" else {}
    Settings(**{"environment": "dev", **network, **endpoints, field: example})


def test_unknown_settings_are_refused():
    with pytest.raises(SettingsError, match="colour"):
        read_settings({}, {"dev": {"colour": "blue"}})
    with pytest.raises(SettingsError, match="no setting 'alarm_mail'; did you mean 'alarm_email'"):
        read_settings({"alarm_mail": "a@example.com"}, ENVIRONMENTS)


def test_what_the_cdk_itself_keeps_in_the_context_is_no_setting():
    kept = {"@aws-cdk/core:newStyleStackSynthesis": True, "aws:cdk:enable-path-metadata": True, "environments": {}}
    assert read_settings(kept, ENVIRONMENTS).environment == "dev"


@pytest.mark.parametrize(
    ("without", "problem"),
    [
        (("account",), "prod needs account:"),
        (("region",), "prod needs region:"),
        (("alarm_email",), "prod needs alarm_email or alarm_phone:"),
        (tuple(PROD), "prod needs account and region and alarm_email or alarm_phone:"),
    ],
)
def test_prod_is_pinned_and_somebody_is_told(without, problem):
    given = {name: value for name, value in PROD.items() if name not in without}
    with pytest.raises(SettingsError, match=problem):
        read_settings({"env": "prod"}, {"prod": given})
    Settings(environment="dev", **given)


def test_several_people_are_told_and_lists_come_from_the_command_line_too():
    given = {
        "alarm_email": "a@example.com, b@example.com",
        "alarm_phone": ["+441632960123"],
        "tags": "team=data,cost=7",
    }
    settings = read_settings(given, ENVIRONMENTS)
    assert settings.alarm_email == ("a@example.com", "b@example.com") and settings.alarm_phone == ("+441632960123",)
    assert settings.tags == {"team": "data", "cost": "7"}
    network = read_settings(NETWORK | {"vpc_endpoints": "s3,logs", "route_table_ids": "rtb-01234567"}, ENVIRONMENTS)
    assert (network.vpc_endpoints, network.subnet_ids) == (("s3", "logs"), ("subnet-0123456789abcdef0",))


def test_data_is_protected_and_encrypted_by_the_platforms_key_in_prod_unless_set_otherwise():
    prod, dev = (read_settings({"env": name}, ENVIRONMENTS) for name in ("prod", "dev"))
    assert (prod.is_protected, prod.has_customer_key, dev.has_customer_key) == (True, True, False)
    assert not Settings(environment="dev", keep_data=False, confirm_destroy="dev").is_protected
    off = read_settings({"env": "prod", "termination_protection": "false", "customer_key": "false"}, ENVIRONMENTS)
    assert not off.is_protected and not off.has_customer_key


def test_the_longest_name_fits_the_longest_region():
    longest = Settings(environment="a" * 11, region="ap-southeast-1")
    assert len(f"{longest.prefix}-athena-results-{'1' * 12}-{longest.region}") <= 63
    with pytest.raises(ValidationError):
        Settings(environment="a" * 12)


def test_an_alarm_on_freshness_allows_for_the_publish_window():
    assert Settings(environment="dev", publish_minutes=20).freshness_minutes == 30
    assert Settings(environment="dev", publish_minutes=30, freshness_minutes=40).publish_minutes == 30
    assert Settings(environment="dev", freshness_minutes=10).publish_minutes == 0
    with pytest.raises(SettingsError, match=r"publish_minutes is 21: set freshness_minutes to 31 or more"):
        read_settings({"env": "dev", "publish_minutes": "21"}, ENVIRONMENTS)


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        Settings(environment="dev").region = "eu-west-1"


def test_quick_sight_is_set_as_a_whole():
    place = "arn:aws:quicksight:eu-west-2:111111111111"
    given = {
        "quicksight_readers": f"{place}:group/default/readers",
        "quicksight_source": "warehouse",
        "quicksight_warehouse_host": "warehouse.example.com",
        "quicksight_warehouse_port": "5433",
        "quicksight_warehouse_database": "star",
        "quicksight_vpc_connection": f"{place}:vpcConnection/v",
        "quicksight_mode": "spice",
        "quicksight_refresh_minutes": "1440",
        "quicksight_row_level_data_set": f"{place}:dataset/rules",
    }
    settings = read_settings(given, ENVIRONMENTS)
    assert (settings.quicksight_warehouse_port, settings.quicksight_refresh_minutes) == (5433, 1440)


@pytest.mark.parametrize(
    ("schema", "given", "ledger"), [("public", None, "etl"), ("star", None, "etl_star"), ("star", "b", "b")]
)
def test_the_ledger_goes_with_the_schema_unless_it_is_named(schema, given, ledger):
    assert Settings(environment="dev", warehouse_schema=schema, ledger_schema=given).ledger == ledger


@pytest.mark.parametrize(("name", "database"), [("prod", "totesys"), ("local", "totesys"), ("dev-2", "totesys_dev_2")])
def test_the_database_is_named_after_the_environment(name, database):
    given = {"environment": name, **PROD}
    assert Settings(**given).database == database
    assert Settings(**given).raw_database == f"{database}_raw"
