"""The key checksum: equal everywhere, over every integer key and every date, additive, and different for different sets."""

import duckdb
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.checksum import mix, mix_sql

KEYS = st.integers(-(2**31), 2**31 - 1)


@given(st.lists(KEYS, min_size=1, max_size=50))
def test_sql_and_python_agree(keys):
    rows = ", ".join(f"({k})" for k in keys)
    ((found,),) = duckdb.sql(f"select sum({mix_sql('k')}) from (values {rows}) t(k)").fetchall()
    assert found == sum(map(mix, keys))


@given(KEYS)
@example(-(2**31))
@example(2**31 - 1)
def test_no_step_has_a_negative_operand_or_leaves_sixty_three_bits(key):
    size = -1 - key if key < 0 else key
    assert 0 <= size < 2**31 and size * 1664525001 + 1013904223 < 2**63
    assert 0 <= mix(key) < 2**31


@given(st.integers(0, 2**31 - 1))
def test_keys_that_format_1_knew_are_mixed_as_it_did(key):
    x = (key * 1103515245 + 12345) % 2147483647
    assert mix(key) == (x * x) % 2147483629


def test_sets_of_equal_count_and_sum_differ():
    assert mix(1) + mix(4) != mix(2) + mix(3)
    assert mix(1) + mix(8) + mix(9) != mix(2) + mix(6) + mix(10)
    assert mix(-3) + mix(3) != mix(-2) + mix(2)
