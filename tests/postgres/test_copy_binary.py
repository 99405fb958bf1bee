"""Every value survives Arrow → COPY in binary → PostgreSQL."""

from datetime import date, datetime, time
from decimal import Decimal

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.load.warehouse.copy_binary import HEADER, TRAILER, encode

CENTS = st.integers(-(10**10) + 1, 10**10 - 1).map(lambda cents: Decimal(cents).scaleb(-2))
MILLISECONDS = st.times().map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))
#: Type of the column, type of the Arrow array, values, and how a value is given to Arrow.
KINDS = {
    "integer": (pa.int32(), st.integers(-(2**31), 2**31 - 1), None),
    "bigint": (pa.int64(), st.integers(-(2**63), 2**63 - 1), None),
    "numeric(10,2)": (pa.decimal128(10, 2), CENTS, None),
    "numeric": (pa.decimal128(10, 2), CENTS, None),
    "boolean": (pa.bool_(), st.booleans(), None),
    "date": (pa.date32(), st.dates(), None),
    "time without time zone": (pa.string(), MILLISECONDS, lambda t: t.isoformat("milliseconds")),
    "time(3) without time zone": (pa.string(), MILLISECONDS, lambda t: t.isoformat("milliseconds")),
    "timestamp without time zone": (pa.timestamp("us"), st.datetimes(), None),
    "character varying": (pa.string(), st.text(st.characters(exclude_characters="\0", codec="utf-8")), None),
    "text": (pa.string(), st.text(st.characters(exclude_characters="\0", codec="utf-8")), None),
}
ROWS = st.lists(st.tuples(*[st.none() | values for _, values, _ in KINDS.values()]), min_size=1, max_size=40)


@pytest.fixture
def connection(servers):
    with psycopg.connect(servers.warehouse.url) as connection:
        columns = ", ".join(f"c{number} {type_}" for number, type_ in enumerate(KINDS))
        connection.execute(f"create temporary table target ({columns})")
        yield connection


def _batch(rows):
    columns = []
    for values, (type_, _, given_as) in zip(zip(*rows, strict=True), KINDS.values(), strict=True):
        shown = [None if v is None else given_as(v) for v in values] if given_as else values
        columns.append(pa.array(shown, type_))
    return pa.record_batch(columns, [f"c{number}" for number in range(len(columns))])


@given(rows=ROWS, skipped=st.integers(0, 3))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_g8_values_arrive_as_they_are(connection, rows, skipped):
    batch = _batch(rows).slice(skipped)  # a slice shares the memory of the whole
    connection.execute("truncate target")
    with connection.cursor().copy("copy target from stdin (format binary)") as copy:
        copy.write(HEADER)
        copy.write(encode(batch, list(KINDS)))
        copy.write(TRAILER)
    assert connection.execute("select * from target").fetchall() == rows[skipped:]


def test_g8_extremes_arrive_as_they_are(connection):
    rows = [
        (
            0,
            -1,
            Decimal("0.00"),
            Decimal("-0.01"),
            False,
            date(1, 1, 1),
            time(0),
            time(23, 59, 59, 999000),
            datetime.min,
            "",
            "é",
        ),
        (
            2**31 - 1,
            2**63 - 1,
            Decimal("99999999.99"),
            Decimal("-99999999.99"),
            True,
            date.max,
            time(0),
            time(0),
            datetime.max,
            "\\N",
            "\t",
        ),
    ]
    with connection.cursor().copy("copy target from stdin (format binary)") as copy:
        for data in (HEADER, encode(_batch(rows), list(KINDS)), TRAILER):
            copy.write(data)
    assert connection.execute("select * from target").fetchall() == rows


def test_a_value_that_does_not_fit_its_column_is_refused(connection):
    with pytest.raises(ValueError, match="column x holds a value that does not fit type integer"):
        encode(pa.record_batch([pa.array([2**31])], ["x"]), ["integer"])
    with pytest.raises(ValueError, match="column x"):
        encode(pa.record_batch([pa.array(["25:00:00.000"])], ["x"]), ["time without time zone"])
