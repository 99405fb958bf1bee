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


@pytest.mark.parametrize(("name", "database"), [("prod", "totesys"), ("local", "totesys"), ("dev-2", "totesys_dev_2")])
def test_the_database_is_named_after_the_environment(name, database):
    assert Settings(environment=name).database == database
    assert Settings(environment=name).raw_database == f"{database}_raw"
