"""Partitions as conditions: every key of 32 bits and every month lies in exactly the partition that Iceberg puts it in."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.tables.star import DIM_TRANSACTION
from glue_jobs.lake.pruning import buckets, condition

SPAN = 100_000


def iceberg(key):
    """Iceberg's truncate of an int, which wraps around at the lowest."""
    return (key - key % SPAN + 2**31) % 2**32 - 2**31


@given(st.integers(-(2**31), 2**31 - 1))
@example(-1)
@example(-(2**31))
@example(2**31 - 1)
@example(-SPAN)
def test_g8_a_partition_of_keys_has_its_keys_and_no_others(key):
    column, between, low, _, high = condition(f"transaction_id_trunc={iceberg(key)}", SPAN).split()
    assert (column, between) == ("`transaction_id`", "between")
    assert int(low) <= key <= int(high)
    assert buckets([key], DIM_TRANSACTION) == [(int(low), int(high))]


@pytest.mark.parametrize("month", ["0024-11", "1969-12", "9999-12"])
def test_g8_a_month_of_any_year_is_a_condition(month):
    first = f"date'{month}-01'"
    assert condition(f"created_date_month={month}", 0) == (
        f"(`created_date` >= {first} and `created_date` < add_months({first}, 1))"
    )
