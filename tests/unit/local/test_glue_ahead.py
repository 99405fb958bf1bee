"""With what the emulator starts the next Spark process."""

import pytest

from local.emulator.glue import _ahead
from local.spark.waiting import LOGIN


@pytest.fixture
def emulator(tmp_path, monkeypatch):
    places = dict.fromkeys(("LOCAL_SPARK_CONF", "LOCAL_LOGS", "TMPDIR"), str(tmp_path))
    for name, value in {**places, "GATEWAY_PORT": "4567", "MINISTACK_REGION": "eu-west-2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LOCAL_SPARK_PRACTICE", raising=False)
    return monkeypatch


def test_g12_a_process_that_waits_has_no_login(emulator):
    for name in LOGIN:
        emulator.setenv(name, "the emulator's own")
    assert not LOGIN.keys() & _ahead()._environment.keys()
    assert _ahead()._environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4567"


def test_it_practises_unless_told_not_to(emulator):
    assert _ahead()._practises
    emulator.setenv("LOCAL_SPARK_PRACTICE", "0")
    assert not _ahead()._practises


def test_it_keeps_what_it_compiles_of_the_library(emulator):
    emulator.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in _ahead()._environment
