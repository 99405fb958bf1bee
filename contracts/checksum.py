"""The key checksum: one number that two systems compute alike over the set of a table's keys.

Every key is mixed into a number below 2^31 and the numbers are added, so that the checksum does not
depend on order, can be computed a part at a time, and grows by addition when keys are added. The
mixing is not linear: sets of the same size and sum get different checksums. Its steps stay below
2^63, where PostgreSQL would raise and Spark would wrap.
"""

_A, _B, _P, _Q = 1103515245, 12345, 2147483647, 2147483629


def mix(key: int) -> int:
    """Return what one key, 0 ≤ key < 2^31, contributes to the checksum."""
    x = (key * _A + _B) % _P
    return (x * x) % _Q


def mix_sql(column: str) -> str:
    """Return `mix` as an SQL expression over the integer expression `column`.

    It means the same in PostgreSQL and in Spark SQL. `column` is trusted: an identifier that the
    caller has quoted already.
    """
    x = f"((cast({column} as bigint) * {_A} + {_B}) % {_P})"
    return f"(({x} * {x}) % {_Q})"
