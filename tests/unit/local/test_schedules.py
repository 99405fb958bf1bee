"""What is told of the deployed schedules, and who moves batches while business goes on."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local import live, schedules, status
from local.emulator.scheduler.clock import Clock
from local.emulator.scheduler.record import Firing, FiringRecord
from local.errors import BatchFailedError

NOW = datetime(2026, 3, 1, 12, 1, tzinfo=UTC)


class Service:
    """Two schedules, of which one fires."""

    def list_schedules(self):
        return {"Schedules": [{"Name": name, "GroupName": "default"} for name in ("extract", "keys")]}

    def get_schedule(self, Name, GroupName="default"):
        return {
            "Name": Name,
            "Arn": "arn",
            "GroupName": GroupName,
            "ScheduleExpression": "rate(5 minutes)" if Name == "extract" else "cron(0 3 * * ? *)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "State": "ENABLED" if Name == "extract" else "DISABLED",
            "Target": {},
            "LastModificationDate": datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        }


@pytest.fixture
def platform(tmp_path, monkeypatch):
    monkeypatch.setattr(schedules, "client", lambda platform, service: Service())
    Clock(tmp_path / "clock").set(NOW)
    return {"clock": str(tmp_path / "clock"), "firings": str(tmp_path / "firings"), "extract_schedule": "extract"}


def fired(platform, at, error=""):
    FiringRecord(Path(platform["firings"])).add(Firing("extract", at, at, "role", "target", "{}", 1, error))


def test_each_schedule_tells_when_it_has_fired_last_and_fires_next(platform):
    fired(platform, "2026-03-01T11:55:00+00:00", "AccessDenied: no")
    fired(platform, "2026-03-01T12:00:00+00:00")
    assert schedules.schedules(platform) == {
        "extract": {
            "fires": True,
            "expression": "rate(5 minutes)",
            "last": "2026-03-01T12:00:00+00:00",
            "error": "",
            "next": "2026-03-01T12:05:00+00:00",
        },
        "keys": {"fires": False, "expression": "cron(0 3 * * ? *)", "last": None, "error": "", "next": None},
    }


def test_a_firing_that_reached_nobody_is_an_error_of_the_platform(platform):
    fired(platform, "2026-03-01T11:55:00+00:00", "AccessDenied: no")
    fired(platform, "2026-03-01T12:00:00+00:00")
    assert status._failed_firings(platform) == [
        {"at": "2026-03-01T11:55:00+00:00", "where": "extract", "message": "AccessDenied: no"}
    ]
    assert schedules.schedules(platform)["extract"]["error"] == ""


@pytest.mark.parametrize(("name", "fires"), [("extract", True), ("keys", False)])
def test_the_platform_extracts_by_itself_where_its_schedule_is_enabled(platform, name, fires):
    assert schedules.schedules_fire({**platform, "extract_schedule": name}) is fires


@pytest.mark.parametrize("fires", [True, False])
def test_live_moves_batches_only_where_no_schedule_does(monkeypatch, fires):
    moved, said, done = [], [], threading.Event()
    loads = iter([3, 3, BatchFailedError("the warehouse does not answer"), 5])

    def loaded(platform):
        found = next(loads, None)
        if found is None:
            done.set()
            return 5
        if isinstance(found, Exception):
            raise found
        return found

    def move(platform):
        moved.append(platform)
        done.set()
        return {"batch": None, "reason": "nothing has changed"}

    monkeypatch.setattr(live, "schedules_fire", lambda platform: fires)
    monkeypatch.setattr(live, "loaded_batch", loaded)
    monkeypatch.setattr(live, "move_batch", move)
    monkeypatch.setattr(live, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr(live, "_business", lambda *_: done.wait(30))
    live.live({}, 30, said.append)
    assert bool(moved) is not fires
    if fires:
        assert said[0].startswith("The schedules move the batches") and said[1:] == ["Batch 5 is in the warehouse."]
