"""When a schedule fires: the calendar, the clocks of a time zone, rates, begin and end."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from local.emulator.scheduler.cron import ExpressionError, parse_cron
from local.emulator.scheduler.schedule import read_schedule

CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def schedule(expression, **changed):
    record = {
        "Name": "s",
        "Arn": "arn:aws:scheduler:eu-west-2:000000000001:schedule/default/s",
        "GroupName": "default",
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "Target": {},
        "LastModificationDate": CREATED.timestamp(),
    }
    return read_schedule({**record, **changed})


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def following(schedule, after, count=1):
    """Return the next moments, as text in UTC."""
    found, at = [], moment(after)
    while len(found) < count and (at := schedule.next_after(at)):
        found.append(f"{at:%Y-%m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("fields", "after", "expected"),
    [
        ("0 3 * * ? *", "2026-03-01 02:59:59", ["2026-03-01 03:00", "2026-03-02 03:00"]),
        ("0 3 * * ? *", "2026-03-01 03:00", ["2026-03-02 03:00"]),
        ("0 2 ? * SUN *", "2026-02-26 00:00", ["2026-03-01 02:00", "2026-03-08 02:00"]),
        ("0 2 ? * 1 *", "2026-02-26 00:00", ["2026-03-01 02:00"]),
        ("0 2 ? * MON-FRI *", "2026-03-06 02:00", ["2026-03-09 02:00"]),
        ("0,30 8-9 * * ? *", "2026-03-01 08:10", ["2026-03-01 08:30", "2026-03-01 09:00", "2026-03-01 09:30"]),
        ("*/20 * * * ? *", "2026-12-31 23:30", ["2026-12-31 23:40", "2027-01-01 00:00"]),
        ("7/20 0 * * ? *", "2026-03-01 00:00", ["2026-03-01 00:07", "2026-03-01 00:27", "2026-03-01 00:47"]),
        ("10-30/10 0 * * ? *", "2026-03-01 00:00", ["2026-03-01 00:10", "2026-03-01 00:20", "2026-03-01 00:30"]),
        ("0 0 1 jan,JUL ? *", "2026-03-01 00:00", ["2026-07-01 00:00", "2027-01-01 00:00"]),
        ("0 0 1 1 ? 2030", "2026-03-01 00:00", ["2030-01-01 00:00"]),
    ],
)
def test_fields_are_lists_ranges_steps_and_names(fields, after, expected):
    assert following(schedule(f"cron({fields})"), after, len(expected)) == expected


def test_a_month_without_the_day_is_passed_over_and_so_is_a_year_without_the_29th_of_february():
    months = schedule("cron(0 0 31 * ? *)")
    assert following(months, "2026-03-31 00:00", 3) == ["2026-05-31 00:00", "2026-07-31 00:00", "2026-08-31 00:00"]
    leap = schedule("cron(0 0 29 FEB ? *)")
    assert following(leap, "2024-02-29 00:00", 2) == ["2028-02-29 00:00", "2032-02-29 00:00"]
    assert following(leap, "2096-02-29 00:00") == ["2104-02-29 00:00"]  # 2100 has none
    assert following(schedule("cron(0 0 28-31 FEB ? *)"), "2026-02-01 00:00", 2) == [
        "2026-02-28 00:00",
        "2027-02-28 00:00",
    ]


@pytest.mark.parametrize("fields", ["0 0 30 FEB ? *", "0 0 1 1 ? 1999"])
def test_a_day_that_never_comes_never_fires(fields):
    assert following(schedule(f"cron({fields})"), "2026-03-01 00:00") == []


def test_a_time_that_clocks_skip_in_spring_is_skipped_and_one_that_they_show_twice_in_autumn_fires_once():
    """London: 01:30 is missing on 29 March 2026, and comes twice on 25 October 2026."""
    london = schedule("cron(30 1 * * ? *)", ScheduleExpressionTimezone="Europe/London")
    assert following(london, "2026-03-28 00:00", 2) == ["2026-03-28 01:30", "2026-03-30 00:30"]
    assert following(london, "2026-10-24 00:00", 3) == ["2026-10-24 00:30", "2026-10-25 00:30", "2026-10-26 01:30"]
    assert following(london, "2026-10-25 00:30") == ["2026-10-26 01:30"]


def test_utc_knows_no_summer():
    assert following(schedule("cron(30 1 * * ? *)"), "2026-03-28 02:00", 2) == ["2026-03-29 01:30", "2026-03-30 01:30"]


def test_a_zone_far_from_utc_has_its_own_days():
    kiritimati = schedule("cron(0 9 ? * SUN *)", ScheduleExpressionTimezone="Pacific/Kiritimati")  # UTC+14
    assert following(kiritimati, "2026-03-01 00:00") == ["2026-03-07 19:00"]


@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "America/St_Johns"])
@pytest.mark.parametrize("fields", ["*/7 * * * ? *", "15 1-2 * * ? *", "0 0 ? * MON *"])
def test_moments_ascend_and_are_what_the_fields_say(zone, fields):
    cron, at = parse_cron(fields, ZoneInfo(zone)), moment("2026-10-24 22:00")
    found = [at]
    while len(found) < 300:
        found.append(cron.next_after(found[-1]))
    assert all(a < b for a, b in pairwise(found))
    local = [m.astimezone(cron.zone) for m in found[1:]]
    assert all(m.minute in cron.minutes and m.hour in cron.hours and m.second == 0 for m in local)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("cron(0 3 * * ?)", "has 5 fields"),
        ("cron(0 3 * * * *)", "exactly one of day of month and day of week must be"),
        ("cron(0 3 ? * ? *)", "exactly one of day of month and day of week must be"),
        ("cron(60 3 * * ? *)", "minutes '60' is not within 0 to 59"),
        ("cron(0 24 * * ? *)", "hours '24'"),
        ("cron(0 3 0 * ? *)", "day of month '0'"),
        ("cron(0 3 * 13 ? *)", "month '13'"),
        ("cron(0 3 ? * 0 *)", "day of week '0'"),
        ("cron(0 3 * * ? 1969)", "year '1969'"),
        ("cron(9-3 3 * * ? *)", "minutes '9-3'"),
        ("cron(*/0 3 * * ? *)", "a step is 1 or more"),
        ("cron(x 3 * * ? *)", "minutes 'x' is not understood"),
        ("cron(0 3 L * ? *)", "does not know L, W and #"),
        ("cron(0 3 15W * ? *)", "does not know L, W and #"),
        ("cron(0 3 ? * FRI#2 *)", "does not know L, W and #"),
        ("rate(0 minutes)", "neither rate"),
        ("rate(5 weeks)", "neither rate"),
        ("at(2026-03-01T00:00:00)", "neither rate"),
        ("", "neither rate"),
    ],
)
def test_what_the_local_scheduler_does_not_know_is_refused_by_name(expression, message):
    with pytest.raises(ExpressionError, match=message):
        schedule(expression)


def test_an_unknown_zone_and_a_flexible_window_are_refused():
    with pytest.raises(ExpressionError, match="ScheduleExpressionTimezone 'Mars/Olympus' is not known"):
        schedule("cron(0 3 * * ? *)", ScheduleExpressionTimezone="Mars/Olympus")
    with pytest.raises(ExpressionError, match="FlexibleTimeWindow"):
        schedule("rate(5 minutes)", FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5})


@pytest.mark.parametrize(
    ("expression", "gap"),
    [
        ("rate(1 minute)", timedelta(minutes=1)),
        ("rate(5 minutes)", timedelta(minutes=5)),
        ("rate(2 hours)", timedelta(hours=2)),
        ("rate(1 day)", timedelta(days=1)),
    ],
)
def test_a_rate_fires_at_once_and_then_every_so_often(expression, gap):
    found = schedule(expression)
    assert found.next_after(CREATED - timedelta(days=9)) == CREATED
    assert found.next_after(CREATED) == CREATED + gap
    assert found.next_after(CREATED + 7 * gap + timedelta(seconds=1)) == CREATED + 8 * gap


def test_a_day_of_a_rate_has_24_hours_whatever_the_clocks_do():
    begin = {"StartDate": "2026-03-28T12:00:00Z", "ScheduleExpressionTimezone": "Europe/London"}
    assert following(schedule("rate(1 day)", **begin), "2026-03-28 12:00") == ["2026-03-29 12:00"]


def test_nothing_fires_before_the_begin_after_the_end_or_when_it_is_disabled():
    window = {"StartDate": "2026-03-05T00:00:00Z", "EndDate": moment("2026-03-07 03:00").timestamp()}
    daily = schedule("cron(0 3 * * ? *)", **window)
    assert following(daily, "2026-03-01 00:00", 9) == ["2026-03-05 03:00", "2026-03-06 03:00", "2026-03-07 03:00"]
    assert following(schedule("rate(1 day)", **window), "2026-03-01 00:00", 9) == [
        "2026-03-05 00:00",
        "2026-03-06 00:00",
        "2026-03-07 00:00",
    ]
    assert following(schedule("rate(1 minute)", State="DISABLED"), "2026-03-01 00:00") == []


def test_a_schedule_fires_for_the_first_time_after_it_was_written():
    assert following(schedule("cron(0 3 * * ? *)"), "2025-06-01 00:00") == ["2026-01-01 03:00"]
