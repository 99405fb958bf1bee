"""The key checksum: equal everywhere, additive, and different for different sets."""

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from contracts.checksum import mix, mix_sql

KEYS = st.integers(0, 2**31 - 1)


@given(st.lists(KEYS, min_size=1, max_size=50))
def test_sql_and_python_agree(keys):
    rows = ", ".join(f"({k})" for k in keys)
    ((found,),) = duckdb.sql(f"select sum({mix_sql('k')}) from (values {rows}) t(k)").fetchall()
    assert found == sum(map(mix, keys))


@given(KEYS)
def test_no_step_leaves_sixty_three_bits(key):
    x = key * 1103515245 + 12345
    assert x < 2**63 and 0 <= mix(key) < 2**31


def test_sets_of_equal_count_and_sum_differ():
    assert mix(1) + mix(4) != mix(2) + mix(3)
    assert mix(1) + mix(8) + mix(9) != mix(2) + mix(6) + mix(10)
