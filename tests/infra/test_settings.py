"""Settings: validated once, and told by name when they are wrong."""

import pytest
from pydantic import ValidationError

from cdk_app.settings import Settings, SettingsError, read_settings

ENVIRONMENTS = {"dev": {}, "prod": {"glue_workers": 10}}


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
        ({"account": "123"}, "account"),
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


def test_unknown_settings_are_refused():
    with pytest.raises(SettingsError, match="colour"):
        read_settings({}, {"dev": {"colour": "blue"}})


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
    assert Settings(environment=name).database == database
    assert Settings(environment=name).raw_database == f"{database}_raw"
