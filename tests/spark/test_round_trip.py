"""Every value, PostgreSQL → CSV → the job's own reader, on the driver and on executors: what comes out is what went in."""

import gzip
import hashlib
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.protocol.bucket import Bucket
from contracts.protocol.manifest import Manifest, Part
from contracts.protocol.object_layout import manifest_key
from contracts.tables.source import SOURCE_TABLES
from glue_jobs.staging import frames
from glue_jobs.staging.csv_parts import Reading
from glue_jobs.staging.parts import read_raw
from glue_jobs.star.conversion import typed

#: What breaks CSV readers, and the spellings of NULL that they know; PostgreSQL text cannot hold NUL.
NASTY = [
    *("", " ", '"', '""', "'", ",", "\n", "\r", "\r\n", "\\", "\\N", "\\."),
    *("NULL", "null", "#", "\t", "\u2028", "\ufeff", "a,b", '"x'),
]
TEXT = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12),
    st.lists(st.sampled_from(NASTY), max_size=5).map("".join),
)
ROWS = st.lists(
    st.tuples(
        TEXT,
        st.none() | TEXT,
        st.integers(-(2**31), 2**31 - 1),
        st.decimals("-99999999.99", "99999999.99", places=2),
        st.booleans(),
        st.dates(date(1, 1, 1), date(9999, 12, 31)),
        st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(
            lambda t: t - timedelta(microseconds=t.microsecond % 1000)
        ),
    ),
    min_size=30,
    max_size=30,
)


@pytest.fixture(params=["driver", "executors"])
def path(request, monkeypatch):
    """Where the parts are read."""
    monkeypatch.setattr(frames, "HERE_ROWS", -1 if request.param == "executors" else 2**31)
    return request.param


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS)
def test_g8_every_type_and_value_survives(pipeline, spark, path, rows):
    with pipeline.source() as connection:
        for key, (text, optional, *_rest, stamp) in enumerate(rows, start=1):
            connection.execute(
                "update address set address_line_1 = %s, address_line_2 = %s, created_at = %s where address_id = %s",
                (text, optional, stamp, key),
            )
        for key, (_, _, number, money, flag, day, stamp) in enumerate(rows, start=1):
            connection.execute(
                "update payment set company_ac_number = %s, payment_amount = %s, paid = %s, payment_date = %s, created_at = %s "
                "where payment_id = %s",
                (number, money, flag, day.isoformat(), stamp, key),
            )
    batch = pipeline.extract()["batch"]
    if batch is None:  # the example before this one had the same rows
        return
    manifest = Manifest.from_json(
        pipeline.s3.get_object(Bucket=pipeline.ingestion, Key=manifest_key(batch))["Body"].read(), manifest_key(batch)
    )
    found = {}
    for name in ("address", "payment"):
        frame = typed(read_raw(spark, Bucket(pipeline.s3, pipeline.ingestion), manifest, name), SOURCE_TABLES[name])
        found[name] = {row[0]: row for row in frame.collect()}
    with pipeline.source() as connection:
        for key, text, optional, stamp in connection.execute(
            "select address_id, address_line_1, address_line_2, created_at::text from address where address_id <= 30"
        ):
            row = found["address"].get(key)
            if row is not None:
                assert (row["address_line_1"], row["address_line_2"], row["created_at"]) == (text, optional, stamp)
        for key, number, money, flag, day, stamp in connection.execute(
            "select payment_id, company_ac_number, payment_amount, paid, payment_date, created_at::text from payment "
            "where payment_id <= 30"
        ):
            row = found["payment"].get(key)
            if row is not None:
                assert (row["company_ac_number"], row["payment_amount"], row["paid"]) == (number, Decimal(money), flag)
                assert (row["payment_date"], row["created_at"]) == (date.fromisoformat(day), stamp)
    assert len(found["address"]) == 30 and len(found["payment"]) >= 30


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.integers(1, 3).flatmap(lambda n: st.lists(st.tuples(*[st.none() | TEXT] * n), min_size=1, max_size=30)),
    suffix=st.sampled_from([".csv", ".csv.gz"]),
)
def test_g8_every_text_that_copy_writes_survives_in_every_column(pipeline, spark, path, rows, suffix):
    """Also in the first column and in the last, where no table of the source has text."""
    names = ("a", "b", "c")[: len(rows[0])]
    with pipeline.source() as connection:
        connection.execute(f"create temporary table t (place int, {' text, '.join(names)} text)")
        for place, row in enumerate(rows):
            connection.execute(f"insert into t values (%s{', %s' * len(row)})", (place, *row))
        statement = f"copy (select {', '.join(names)} from t order by place) to stdout (format csv, header true)"
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            body = b"".join(copy)
    if suffix == ".csv.gz":
        body = gzip.compress(body)
    part = Part("t/1" + suffix, len(body), len(rows), hashlib.sha256(body).hexdigest())
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=part.key, Body=body)
    bucket = Bucket(pipeline.s3, pipeline.ingestion)
    found = frames.frame(spark, bucket, Reading(1, "t", pipeline.ingestion, names), [part]).collect()
    assert [tuple(row) for row in found] == rows
