"""The command line's own reading of what people type."""

import json

import pytest

from lambdas.load.settings import LoadSettings
from local import platform as platform_module
from local.__main__ import app
from local.errors import LocalError
from local.home import Home
from local.platform import DEFAULT_DAYS, Options, Scale, _context, _ledger, check_databases
from local.servers.urls import secret_from_url
from local.typed import parse_read, parse_scale, parse_settings


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("30", Scale(30)),
        ("30d", Scale(30)),
        ("1day", Scale(1)),
        ("730days", Scale(730)),
        ("100000orders", Scale(DEFAULT_DAYS, 100_000)),
    ],
)
def test_scale_is_days_or_orders(text, scale):
    assert parse_scale(text) == scale


@pytest.mark.parametrize("text", ["", "0", "-3", "many", "3weeks", "1.5"])
def test_any_other_scale_is_explained(text):
    with pytest.raises(LocalError, match="--scale"):
        parse_scale(text)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://u:p%40ss@db.example:6000/shop",
            {"host": "db.example", "port": 6000, "password": "p@ss", "dbname": "shop"},
        ),
        (
            "postgresql://u@/shop?host=/run/pg&port=5433",
            {"host": "/run/pg", "port": 5433, "dbname": "shop", "password": ""},
        ),
        ("postgres://u@h", {"host": "h", "port": 5432, "dbname": "u"}),
        ("host=h dbname=d user=u", {"host": "h", "dbname": "d", "username": "u"}),
    ],
)
def test_any_libpq_uri_becomes_a_secret(url, expected):
    secret = json.loads(secret_from_url(url, "source"))
    assert {key: secret[key] for key in expected} == expected


def test_g12_what_is_no_uri_is_not_repeated():
    with pytest.raises(LocalError, match="--source") as refused:
        secret_from_url("postgresql://u:hunter2@h:port/x y=z", "source")
    assert "hunter2" not in str(refused.value)


def test_g12_an_unreachable_database_is_told_before_anything_starts_without_the_password():
    with pytest.raises(LocalError, match="does not answer") as refused:
        check_databases(Options(warehouse="postgresql://u:hunter2@127.0.0.1:1/x"))
    assert "hunter2" not in str(refused.value) and "--warehouse" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "read"),
    [("everything", "everything"), ("staff", ["staff"]), ("staff, design", ["staff", "design"])],
)
def test_what_is_read_whole_is_everything_or_tables(text, read):
    assert parse_read(text) == read


@pytest.mark.parametrize("text", ["all", "staff,,design", "parrot", ","])
def test_any_other_wish_to_read_is_explained(text):
    with pytest.raises(LocalError, match=r"--read .* is not known: give everything, or tables of address, .*payment"):
        parse_read(text)


@pytest.fixture
def home(tmp_path):
    """A home whose platform is only described."""
    (tmp_path / "platform.json").write_text(json.dumps({"endpoint": "http://127.0.0.1:1"}))
    return tmp_path


def run(*arguments):
    app([str(argument) for argument in arguments], standalone_mode=False)


@pytest.mark.parametrize(("arguments", "read"), [((), None), (("--read", "everything"), "everything")])
def test_batch_asks_the_extraction_for_what_is_to_be_read(home, monkeypatch, arguments, read):
    asked = []
    outcome = {"batch": None, "reason": "", "seconds": {}, "tables": {}}
    monkeypatch.setattr("local.batches.move_batch", lambda platform, options: asked.append(options) or outcome)
    run("batch", *arguments, "--home", home)
    assert asked == [read]


@pytest.mark.parametrize(("arguments", "mode"), [((), "rebuild"), (("--take-over",), "take_over")])
def test_rebuild_takes_a_warehouse_over_only_when_it_is_asked_to(home, monkeypatch, arguments, mode):
    asked = []
    monkeypatch.setattr("local.batches.run_machine", lambda platform, request: asked.append(request))
    monkeypatch.setattr("local.batches.loaded_batch", lambda platform: 3)
    run("rebuild", *arguments, "--home", home)
    assert asked == [{"mode": mode}]


def test_up_passes_its_wishes_on(tmp_path, monkeypatch):
    asked = []

    def bring_up(home, options, progress):
        asked.append(options)
        return {"endpoint": ""}

    monkeypatch.setattr("local.platform.up", bring_up)
    run("up", "--home", tmp_path, "--warehouse-schema", "star", "--ledger-schema", "books", "--scale", "3")
    assert asked == [Options(warehouse_schema="star", ledger_schema="books", scale=Scale(3))]


@pytest.mark.parametrize(
    ("state", "ledger"),
    [
        ({}, "etl"),
        ({"warehouse_schema": "public"}, "etl"),
        ({"warehouse_schema": "star"}, "etl_star"),
        ({"warehouse_schema": "star", "ledger_schema": "books"}, "books"),
    ],
)
def test_the_ledger_is_where_the_load_puts_it(state, ledger):
    environment = {"ingestion_bucket": "i", "processed_bucket": "p", "warehouse_secret": "s"}
    assert _ledger(state) == ledger == LoadSettings(**environment, **state).naming.ledger


def test_a_wish_for_a_ledger_becomes_a_setting_of_the_deployment():
    state = {"ledger_schema": "books", "passwords": {}, "source": "postgresql://u@h/d"}
    assert _context(state) == {"ledger_schema": "books"}


@pytest.mark.parametrize(("flag", "wish"), [((), None), (("--schedules",), True), (("--no-schedules",), False)])
def test_up_asks_for_schedules_only_when_it_is_told_to(tmp_path, monkeypatch, flag, wish):
    asked = []
    monkeypatch.setattr("local.platform.up", lambda home, options, progress: asked.append(options) or {"endpoint": ""})
    run("up", "--home", tmp_path, *flag)
    assert asked == [Options(schedules_enabled=wish)]


def test_schedules_fire_as_they_did_before_unless_somebody_says_otherwise(tmp_path, monkeypatch):
    """What `up` deploys, one after the other."""
    deployed = []

    def deploy(home, state, progress):
        deployed.append(_context(state))
        raise LocalError("far enough")

    monkeypatch.setattr(platform_module, "_deploy", deploy)
    monkeypatch.setattr(platform_module, "_start_databases", lambda *_: {})
    for wish in (None, True, None, False, None):
        with pytest.raises(LocalError, match="far enough"):
            platform_module.up(Home(tmp_path), Options(schedules_enabled=wish), print)
    assert deployed == [{}, {"schedules_enabled": "True"}, {"schedules_enabled": "True"}, {}, {}]


STATUS = {"batch": 1, "publication": 1, "load": 1, "freshness": 0.0, "alarms": {"a": "OK"}, "last_error": None}
SCHEDULE = {"expression": "rate(5 minutes)", "last": "2026-03-01T12:00:00+00:00", "error": "", "next": None}


@pytest.mark.parametrize(
    ("schedule", "line"),
    [
        ({"fires": True, "next": "2026-03-01T12:05:00+00:00"}, "last 2026-03-01T12:00:00+00:00, next 2026-03-01T12:05"),
        ({"fires": True, "last": None}, "s: last never, next never"),
        ({"fires": False}, "none fires; up --schedules lets them"),
        ({"fires": True, "error": "AccessDenied: no"}, "last 2026-03-01T12:00:00+00:00 (AccessDenied: no)"),
    ],
)
def test_status_shows_when_schedules_fire(home, monkeypatch, capsys, schedule, line):
    found = {**STATUS, "schedules": {"s": {**SCHEDULE, **schedule}}}
    monkeypatch.setattr("local.status.status", lambda platform: found)
    run("status", "--home", home)
    assert line in capsys.readouterr().out


def test_settings_of_the_deployment_are_pairs():
    assert parse_settings(["keep_data=true", "tags=a=b"]) == {"keep_data": "true", "tags": "a=b"}
    for text in ("keep_data", "=true", "keep_data="):
        with pytest.raises(LocalError, match="--set"):
            parse_settings([text])
    assert _context({"warehouse_schema": "star", "settings": {"adopt": "true"}, "source": "x"}) == {
        "warehouse_schema": "star",
        "adopt": "true",
    }
