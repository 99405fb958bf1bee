"""What days the calendar has before a batch: told by the publication, by its range of keys, or by the table."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from contracts.protocol.publication import EMPTY
from contracts.tables.star import DIM_DATE
from glue_jobs.versions.calendar import days_after, days_before
from glue_jobs.versions.days import days_of
from tests.support.samples import publication


def batch(previous, years=()):
    rows = SimpleNamespace(collect=lambda: [{"year": year} for year in years])
    frame = SimpleNamespace(select=lambda _: SimpleNamespace(distinct=lambda: rows))
    tables = previous.tables if previous else {DIM_DATE.name: EMPTY}
    return SimpleNamespace(
        previous=previous,
        before=tables,
        rows_before=lambda table: frame if years else pytest.fail(f"{table.name} is not to be read"),
    )


def old(**figures):
    previous = publication(1)
    tables = previous.tables | {DIM_DATE.name: replace(previous.tables[DIM_DATE.name], **figures)}
    return replace(previous, format=1, calendar=None, tables=tables)


def test_g8_a_publication_tells_the_days_of_the_calendar():
    assert days_before(batch(replace(publication(1), calendar=((0, 364),)))) == ((0, 364),)
    assert days_before(batch(None)) == ()


def test_g8_a_publication_of_format_1_tells_them_by_its_range_or_the_table_is_read():
    gapless = old(lowest_key=0, highest_key=729, current_keys=730)
    assert days_before(batch(gapless)) == ((0, 729),)
    with_gap = old(lowest_key=0, highest_key=days_of(1980)[1], current_keys=731)
    assert days_before(batch(with_gap, [1980, 1970])) == (days_of(1970), days_of(1980))


def test_g8_after_a_batch_the_calendar_has_its_years_too():
    assert days_after((days_of(1970),), {1971, 24}) == (days_of(24), (0, 729))
