"""The command line's own reading of what people type."""

import json

import pytest

from local.__main__ import parse_scale
from local.errors import LocalError
from local.platform import DEFAULT_DAYS, Scale, Wishes, check_databases
from local.urls import secret_from_url


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
        check_databases(Wishes(warehouse="postgresql://u:hunter2@127.0.0.1:1/x"))
    assert "hunter2" not in str(refused.value) and "--warehouse" in str(refused.value)
