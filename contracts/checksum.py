"""The key checksum: one number that systems compute alike over the set of a table's keys.

Every key is mixed into a number below 2^31 and the numbers are added, so that the checksum does not
depend on order, can be computed a part at a time, and grows by addition when keys are added. The
mixing is not linear: sets of the same size and sum get different checksums. Its steps stay below
2^63, where PostgreSQL would raise and Spark would wrap. No step has a negative operand: Python,
PostgreSQL and Spark do not agree about the remainders of those.

Keys from 0 on are mixed as format 1 of the documents did, so figures of that format still count.
"""

_P, _Q = 2147483647, 2147483629
#: Multiplier and summand of the first step, for keys from 0 on and for the complements of negative ones.
_POSITIVE, _NEGATIVE = (1103515245, 12345), (1664525001, 1013904223)


def mix(key: int) -> int:
    """Return what one key, -2^31 ≤ key < 2^31, contributes to the checksum."""
    (a, b), size = (_NEGATIVE, -1 - key) if key < 0 else (_POSITIVE, key)
    x = (size * a + b) % _P
    return (x * x) % _Q


def mix_sql(column: str) -> str:
    """Return `mix` as an SQL expression over the integer expression `column`.

    It means the same in PostgreSQL and in Spark SQL. `column` is trusted: an identifier that the
    caller has quoted already.
    """
    negative = _squared(f"(-1 - cast({column} as bigint))", *_NEGATIVE)
    return f"(case when {column} < 0 then {negative} else {_squared(f'cast({column} as bigint)', *_POSITIVE)} end)"


def _squared(size: str, a: int, b: int) -> str:
    x = f"(({size} * {a} + {b}) % {_P})"
    return f"(({x} * {x}) % {_Q})"
