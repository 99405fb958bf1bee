"""The history of a dimension begins when the source says that the row was written, in the source's own zone."""

from datetime import datetime

import pytest

from tests.spark.model.machine import first_source, row_of
from tests.spark.model.stage import Stage


@pytest.mark.parametrize(
    ("zone", "summer"), [("Europe/London", 9), ("America/New_York", 14), ("", 10), ("Mars/Olympus Mons", 10)]
)
def test_g4_a_history_begins_in_utc_when_the_row_was_written_and_never_after_the_snapshot(servers, spark, zone, summer):
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
