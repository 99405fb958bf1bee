"""Concurrent writers against the extraction, with the reader that everybody writes first beside it as a control.

``STRESS_SECONDS`` sets how long the writers write: 8 in the suite, 60 for ``make stress``. With ``STRESS_LOGIN=plain`` the
extraction has the least login, at a source that refuses to tell what it is, as Aurora does.
"""

import csv
import io
import os
import random
import threading
import time
from contextlib import nullcontext
from datetime import timedelta

import psycopg

from contracts.protocol.object_layout import manifest_key
from tests.support.refusing import refusing_login

LOGIN = os.environ.get("STRESS_LOGIN", "")
SECONDS = int(os.environ.get("STRESS_SECONDS", "8"))
WRITERS = 12
COLUMNS = "sales_order_id, staff_id, units_sold, agreed_delivery_date"
INSERT = (
    "insert into sales_order (last_updated, design_id, staff_id, counterparty_id, units_sold, unit_price, currency_id, "
    "agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id) "
    "values (now(), 1, 1, 1, %s, 2.5, 1, '2024-01-01', '2024-01-01', 1)"
)
PICK = "(select sales_order_id from sales_order order by random() limit 1 for update skip locked)"


def _change(connection, draw):
    """One change: an insert, an honest update, a silent one, or one stamped by a client's slow clock."""
    kind = draw.random()
    if kind < 0.4:
        connection.execute(INSERT, (draw.randint(1, 10**6),))
    elif kind < 0.6:
        connection.execute(
            f"update sales_order set units_sold = units_sold + 1, last_updated = now() where sales_order_id = {PICK}"
        )
    elif kind < 0.8:
        connection.execute(f"update sales_order set staff_id = staff_id % 20 + 1 where sales_order_id = {PICK}")
    else:
        late = timedelta(seconds=draw.uniform(-5, 0))
        connection.execute(
            f"update sales_order set units_sold = units_sold + 1, last_updated = now() + %s where sales_order_id = {PICK}",
            (late,),
        )


def _write(url, seed, stop, counts):
    draw = random.Random(seed)
    with psycopg.connect(url) as connection:
        while not stop.is_set():
            try:
                for _ in range(draw.randint(1, 4)):
                    _change(connection, draw)
                if draw.random() < 0.3:
                    try:
                        with connection.transaction():  # a savepoint: its rows carry an id of their own
                            _change(connection, draw)
                            if draw.random() < 0.5:
                                raise psycopg.Rollback
                    except psycopg.Rollback:
                        pass
                time.sleep(draw.choice([0, 0, 0.01, 0.05]) if draw.random() > 0.04 else draw.uniform(0.5, 3))
                connection.commit() if draw.random() < 0.9 else connection.rollback()
                counts[seed] += 1
            except psycopg.errors.DeadlockDetected:
                connection.rollback()


class Reader:
    """What a reader has seen: the newest version of each row."""

    def __init__(self, pipeline):
        self.pipeline, self.rows, self.reads, self.read = pipeline, {}, 0, 0

    def wrong(self, truth):
        """Keys that are missing, that show an older version, and that are not there."""
        stale = {key for key in truth.keys() & self.rows.keys() if truth[key] != self.rows[key]}
        return truth.keys() - self.rows.keys(), stale, self.rows.keys() - truth.keys()


class HorizonReader(Reader):
    """Ours: the extraction, replayed from the parts that the batches name."""

    def __init__(self, pipeline):
        super().__init__(pipeline)
        self.reasons = []

    def step(self):
        outcome = self.pipeline.extract()
        batch = outcome["batch"]
        if batch is None:
            return
        self.reasons.append(outcome["reason"])
        self.reads += 1
        bucket = self.pipeline.ingestion
        for part in self.pipeline.document(bucket, manifest_key(batch))["tables"]["sales_order"]["parts"]:
            text = self.pipeline.s3.get_object(Bucket=bucket, Key=part["key"])["Body"].read().decode()
            for row in csv.DictReader(io.StringIO(text)):
                self.read += 1
                self.rows[int(row["sales_order_id"])] = tuple(row[c] for c in COLUMNS.split(", "))


class TimestampReader(Reader):
    """Everybody's: what was updated since the newest update that was seen."""

    def __init__(self, pipeline):
        super().__init__(pipeline)
        self._watermark = "-infinity"

    def step(self):
        self.reads += 1
        with self.pipeline.source() as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            rows = connection.execute(
                f"select {COLUMNS}, last_updated::text from sales_order where last_updated > %s::timestamp",
                (self._watermark,),
            ).fetchall()
        for *values, stamp in rows:
            self.read += 1
            self.rows[values[0]] = tuple(map(str, values))
            self._watermark = max(self._watermark, stamp) if self._watermark != "-infinity" else stamp


def _step_beside_writers(url, readers):
    """Let every reader read again and again while the writers write, and twice after that; return how often these committed."""
    stop, counts = threading.Event(), [0] * WRITERS
    writers = [threading.Thread(target=_write, args=(url, n, stop, counts)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + SECONDS
    try:
        while time.monotonic() < deadline:
            for reader in readers:
                reader.step()
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    for _ in range(2):
        for reader in readers:
            reader.step()
    return sum(counts)


def test_g1_no_row_is_missing_or_stale_under_concurrent_writers(pipeline, caplog):
    """A timestamp reader reads beside ours: that it loses rows proves that the writers are as hostile as they should be."""
    caplog.set_level("ERROR")
    ours, control = readers = HorizonReader(pipeline), TimestampReader(pipeline)
    with refusing_login(pipeline) if LOGIN == "plain" else nullcontext():
        commits = _step_beside_writers(pipeline.source_url, readers)
    with pipeline.source() as connection:
        truth = {row[0]: tuple(map(str, row)) for row in connection.execute(f"select {COLUMNS} from sales_order")}
    for reader in readers:
        missing, stale, ghosts = reader.wrong(truth)
        print(
            f"{type(reader).__name__}: {SECONDS} s, {commits} transactions, {len(truth)} rows, {reader.reads} reads of "
            f"{reader.read} rows: {len(missing)} missing, {len(stale)} stale, {len(ghosts)} ghosts"
        )
    assert ours.wrong(truth) == (set(), set(), set())
    assert ours.reasons[0] == "first batch" and not any(ours.reasons[1:])
    missing, stale, _ = control.wrong(truth)
    assert commits > 10 * SECONDS and (missing or stale)
