"""The history of a dimension begins when the source says that the row was written, in the source's own zone."""

from datetime import datetime, timedelta

import pytest

from tests.spark.model.machine import first_source, row_of
from tests.spark.model.stage import Stage


@pytest.mark.parametrize(
    ("zone", "summer", "small"),
    [
        ("Europe/London", 9, 20_000),
        ("Europe/London", 9, 0),
        ("America/New_York", 14, 20_000),
        ("", 10, 20_000),
        ("Mars/Olympus Mons", 10, 20_000),
    ],
)
def test_g4_a_history_begins_in_utc_when_the_row_was_written_and_never_after_the_snapshot(
    servers, spark, monkeypatch, zone, summer, small
):
    monkeypatch.setattr("glue_jobs.versions.by_lookup.SMALL_ROWS", small)
    stage, source = Stage(servers, spark), first_source()
    stage.time_zone = zone
    for key, created in {1: "2024-07-01 10:00:00", 2: "2027-01-01 00:00:00", 3: "0024-11-15 10:00:00"}.items():
        source["design"][key] = row_of("design", key, created_at=created)
    stage.commit(source, {}, keys=True, is_full=True)
    stage.run()
    began = {row["design_id"]: row["valid_from"] for row in stage.table("dim_design_history")}
    assert began[1] == datetime(2024, 7, 1, summer)
    assert began[2] == datetime(2026, 11, 20, 10, 0, 1)  # the snapshot
    assert began[3].year == 24


def test_g4_versions_never_overlap_though_the_clock_of_the_source_is_set_back(servers, spark):
    stage, source = Stage(servers, spark), first_source()
    stage.commit(source, {}, keys=True, is_full=True)
    for name, hours in (("second", 0), ("third", 1), (None, 0), ("fourth", 1)):
        stage.set_back = timedelta(hours=hours)
        source["design"] = {1: row_of("design", 1, design_name=name)} if name else {}
        stage.commit(source, {"design": source["design"].keys()}, keys=True)
    stage.run()
    columns = ("design_name", "valid_from", "valid_to", "is_current")
    versions = {tuple(row[name] for name in columns) for row in stage.table("dim_design_history")}
    moments = [datetime(2026, 11, 20, 10, 0, number) for number in range(6)]
    assert versions == {
        ("1", datetime(2024, 11, 20, 10), moments[2], False),
        ("second", moments[2], moments[2], False),
        ("third", moments[2], moments[4], False),
        ("fourth", moments[4], None, True),
    }
