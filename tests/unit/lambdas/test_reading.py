"""Reading that stops when time is up and goes on later, against a model of a database with open transactions."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.checksum import mix
from contracts.protocol.manifest import Manifest, Part, Unfinished, joined
from contracts.protocol.object_layout import manifest_key
from contracts.tables.source import SOURCE_TABLES
from lambdas.errors import SourceReadError
from lambdas.extract.copying import Chunk
from lambdas.extract.manifest import build_manifest
from lambdas.extract.plan import plan
from lambdas.extract.reading import read
from lambdas.extract.shapes import ColumnFound
from lambdas.extract.snapshot import TableStatistics
from tests.support.samples import LAKE, SCHEMA, TIME, position

#: Two that are read incrementally, and two that are read whole, together.
TABLES = ("sales_order", "payment", "staff", "department")
ROWS_IN_A_CHUNK = 2


@dataclass
class Database:
    """Rows by table and key as (xmin, value), and transactions that are still open."""

    rows: dict = field(default_factory=lambda: defaultdict(dict))
    next_xid: int = 100
    open: dict = field(default_factory=dict)

    def begin(self):
        self.next_xid += 1
        self.open[self.next_xid - 1] = []
        return self.next_xid - 1

    def commit(self, xid):
        for table, key, value in self.open.pop(xid):
            if value is None:
                self.rows[table].pop(key, None)
            else:
                self.rows[table][key] = (xid, value)

    def perform(self, action):
        kind, table, key, value = action
        if kind == "open":
            self.open[self.begin()].append((table, key, value))
        elif kind == "commit":
            if self.open:
                self.commit(min(self.open))
        else:
            xid = self.begin()
            self.open[xid].append((table, key, None if kind == "delete" else value))
            self.commit(xid)


class Snapshot:
    """What was committed when it was taken."""

    def __init__(self, database):
        self.rows = {name: dict(database.rows[name]) for name in SOURCE_TABLES}
        self.next_xid = database.next_xid
        self.horizon = min(database.open, default=self.next_xid)

    def position(self):
        return position(self.horizon, self.next_xid)

    def catalog(self):
        return SCHEMA

    def moved(self, tables):
        return []

    def statistics(self, table, horizon, *, count_changed):
        rows = self.rows[table.name]
        changed = len([xmin for xmin, _ in rows.values() if horizon is None or xmin >= horizon])
        return TableStatistics(
            len(rows), sum(map(mix, rows)), changed if horizon is None or count_changed(len(rows)) else None
        )

    def copy(self, table, columns, horizon, *, in_order=False, after=None):
        rows = [
            (key, value)
            for key, (xmin, value) in self.rows[table.name].items()
            if (horizon is None or xmin >= horizon) and (after is None or key > after)
        ]
        if in_order:
            rows.sort()
        yield Chunk(b"", 0)
        for start in range(0, len(rows), ROWS_IN_A_CHUNK):
            some = rows[start : start + ROWS_IN_A_CHUNK]
            yield Chunk(repr(some).encode(), len(some), some[-1][0])

    def copy_keys(self, table):
        return self.copy(table, [table.key], None)


class Store:
    """Parts by key: each written once."""

    def __init__(self):
        self.parts, self.attempts = {}, 0

    def writer(self, batch):
        self.attempts += 1

        def write(table, chunks, layout, first_part):
            parts = []
            for chunk in chunks:
                if chunk.rows:
                    number = first_part + len(parts)
                    key = layout(table, datetime(2026, 11, 20, tzinfo=UTC), batch, str(self.attempts), number)
                    assert key not in self.parts
                    self.parts[key] = eval(chunk.data)
                    parts.append(Part(key, 1, chunk.rows, "00"))
            return tuple(parts)

        return write

    def content(self, batch, table):
        """The rows of a whole batch, as the transform reads them."""
        extract = batch.tables[table]
        rows = {}
        for part in sorted(extract.parts, key=lambda p: p.key.rsplit("/", 1)[1].split("-")[0]):
            rows.update(self.parts[part.key])
        if not batch.is_joined:
            return rows
        listed = {key for part in extract.key_parts for key, _ in self.parts[part.key]}
        return {key: value for key, value in rows.items() if key in listed}


def _run(database, store, previous, patience, seconds=10**9):
    """One invocation: time is up after `patience` questions."""
    snapshot, questions = Snapshot(database), iter(range(10**9))
    planned = plan(snapshot, previous, seconds=seconds)
    outcome = read(snapshot, planned, store.writer(planned.batch), lambda: next(questions) >= patience)
    if planned.may_skip_commit and outcome.is_empty:
        return None, snapshot
    written = build_manifest(planned, outcome, lake=LAKE, extracted_at=TIME, witnesses={})
    assert Manifest.from_json(written.to_json(), manifest_key(written.batch)) == written
    return written, snapshot


actions = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "delete", "open", "commit"]),
        st.sampled_from(TABLES),
        st.integers(1, 9),
        st.integers(0, 3),
    ),
    max_size=6,
)
runs = st.lists(st.tuples(actions, st.integers(0, 12), st.sampled_from([0, 10**9])), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(st.lists(actions, min_size=3, max_size=3), runs)
def test_g1_a_batch_of_several_runs_is_what_the_last_snapshot_held(before, history):
    database, store, lake, previous, pending = Database(), Store(), defaultdict(dict), None, []
    for some in before:
        for action in some:
            database.perform(action)
    for some, patience, seconds in [*history, *[([], 10**6, 0)] * 4]:
        for action in some:
            database.perform(action)
        try:
            written, snapshot = _run(database, store, previous, patience, seconds)
        except SourceReadError:  # too little patience for the key lists: a run that failed
            continue
        if written is None:
            continue
        previous = written
        pending.append(written)
        if written.unfinished:
            continue
        batch = joined([m for m in pending if m.batch >= written.first])
        pending = []
        for table in TABLES:
            truth = {key: value for key, (_, value) in snapshot.rows[table].items()}
            content = store.content(batch, table)
            assert content.items() <= truth.items()
            lake[table].update(content)
            assert truth.items() <= lake[table].items()
    assert not pending


def test_an_unordered_reading_that_takes_too_long_is_begun_again_in_order():
    database, store = Database(), Store()
    for key in range(1, 10):
        database.perform(("put", "sales_order", key, key))
    first, _ = _run(database, store, None, patience=7)  # the second chunk of sales_order is too late
    left = ("sales_order", "purchase_order", "transaction", "payment")
    assert first.unfinished == Unfinished(None, 109, dict.fromkeys(left))
    assert first.tables["sales_order"].read == "nothing" and first.tables["sales_order"].parts == ()
    while (previous := first).unfinished:
        first, _ = _run(database, store, previous, patience=30)
    assert first.batch > 1 and first.first == 1 and first.tables["sales_order"].source_count == 9


def test_a_source_whose_key_lists_never_fit_is_told_and_not_tried_for_ever():
    database, store = Database(), Store()
    for key in range(1, 10):
        database.perform(("put", "sales_order", key, key))
    previous, _ = _run(database, store, None, patience=0, seconds=0)
    with pytest.raises(SourceReadError, match="do not fit into one run"):
        for _ in range(40):
            previous, _ = _run(database, store, previous, patience=0)


def test_a_source_that_changed_its_columns_is_begun_again():
    database, store = Database(), Store()
    for key in range(1, 10):
        database.perform(("put", "sales_order", key, key))
    previous, _ = _run(database, store, None, patience=0, seconds=0)
    changed = Snapshot(database)
    sales = SCHEMA["sales_order"]
    changed.catalog = lambda: {
        **SCHEMA,
        "sales_order": replace(
            sales,
            columns={**sales.columns, "colour": ColumnFound("colour", "text", False)},
            shape=replace(sales.shape, columns=(*sales.shape.columns, "12 colour text")),
        ),
    }
    planned = plan(changed, previous)
    assert (
        planned.first == planned.batch == 2
        and "while the batch was being read, sales_order: its columns" in planned.reason
    )
    assert set(planned.remaining.tables) == set(SOURCE_TABLES)
