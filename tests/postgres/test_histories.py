"""From when to when a version of a fact holds: in UTC, whatever zone the source writes its timestamps in."""

from datetime import date, datetime

import pytest

from tests.support.lake import FakeLake
from tests.support.publications import NEXT, day, order, publish_some

#: In summer, two hours ahead of UTC in Berlin: created at 08:00 there.
SUMMER = date(2024, 7, 1)
NOTICED, CHANGED = datetime(2024, 7, 1, 6, 5), datetime(2024, 7, 1, 7, 0)


@pytest.fixture
def lake(pipeline):
    lake = FakeLake(pipeline)
    publish_some(lake)
    lake.publish({"dim_date": [day(SUMMER)]})
    return lake


def _versions(pipeline, lake, zone, *, noticed=NOTICED):
    """An order is written at 08:00 of the source's time and changed an hour later; return when its versions hold."""
    for moment, units in ((noticed, 1), (CHANGED, 2)):
        text = moment.isoformat(timespec="microseconds") + "+00:00"
        lake.head = {"snapshot_time": text, "time_zone": zone}
        lake.publish({"fact_sales_order": [order(50, units, on=SUMMER)]})
    pipeline.load()
    return _shown(pipeline)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "europe/berlin"])
def test_a_version_written_in_summer_time_ends_after_it_began(pipeline, lake, zone):
    created = datetime(2024, 7, 1, 6, 0)
    assert _versions(pipeline, lake, zone) == [(created, CHANGED, False), (CHANGED, None, True)]
    assert pipeline.warehouse("select time_zone from etl.batch where batch = 5") == [("Europe/Berlin",)]


@pytest.mark.parametrize("zone", ["", "Moon/Base", "localtime; drop table dim_date"])
def test_a_zone_that_is_not_known_stops_no_load_and_no_view(pipeline, lake, zone):
    """Then the time is taken for UTC, and a version never begins after the snapshot that saw it."""
    assert _versions(pipeline, lake, zone) == [(NOTICED, CHANGED, False), (CHANGED, None, True)]
    assert pipeline.warehouse("select time_zone from etl.batch where batch = 5") == [(None,)]


def test_a_version_begins_no_later_than_the_snapshot_that_saw_it(pipeline, lake):
    """The source's clients may write a moment that is to come."""
    early = datetime(2024, 6, 30, 12, 0)
    assert _versions(pipeline, lake, "UTC", noticed=early)[0] == (early, CHANGED, False)


def test_g11_a_rebuild_keeps_the_zones(pipeline, lake):
    before = _versions(pipeline, lake, "Europe/Berlin")
    lake.head = {}
    lake.publish({"dim_date": [day(NEXT)]})
    lake.list_files()
    pipeline.load({"step": "rebuild"})
    assert _shown(pipeline) == before
    assert pipeline.warehouse("select time_zone from etl.batch where batch = 5") == [("Europe/Berlin",)]


def _shown(pipeline):
    return pipeline.warehouse(
        "select valid_from, valid_to, is_current from history_sales_order where sales_order_id = 50 order by sales_record_id"
    )
