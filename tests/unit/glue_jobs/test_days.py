"""Calendars as ranges of days, against sets of days."""

from datetime import date
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from glue_jobs.versions.days import days_of, lacking, merged

RANGES = st.lists(st.tuples(st.integers(-40, 40), st.integers(0, 9)).map(lambda r: (r[0], r[0] + r[1])))


def days(ranges):
    return {day for first, last in ranges for day in range(first, last + 1)}


@given(RANGES)
def test_g8_merged_ranges_have_the_same_days_and_never_touch(ranges):
    found = merged(ranges)
    assert days(found) == days(ranges)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(found))


@given(st.sets(st.integers(1, 9999), max_size=8), st.sets(st.integers(1, 9999), max_size=8))
def test_g8_a_calendar_lacks_the_years_that_it_does_not_have(present, wanted):
    assert lacking(merged(map(days_of, present)), wanted) == sorted(wanted - present)


def test_g8_years_have_their_days_from_the_first_to_the_last():
    assert days_of(1970) == (0, 364)
    assert days_of(1)[0] == -719162
    assert days_of(9999)[1] == (date(9999, 12, 31) - date(1970, 1, 1)).days
    assert lacking(((0, 363),), [1970]) == [1970]
