"""Changes of a source, batches, runs that are killed, maintenance, loads and listings in any order."""

import copy
from collections import defaultdict
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from contracts.errors import DamagedDocumentError
from contracts.protocol.bucket import Bucket
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.table import Reading
from glue_jobs.errors import TransformError
from glue_jobs.lake.tables import Lake
from glue_jobs.versions import by_lookup
from tests.spark.model import checks
from tests.spark.model.expected import BAD, FACTS, GOOD, Expected
from tests.spark.model.stage import Stage

STAMP = "2024-11-20 10:00:00"
#: When an order is due, and when it was written: seldom in other years than the rest.
DAYS = st.sampled_from([GOOD] * 6 + [BAD] * 3 + ["2204-03-01", "0024-11-15"])
STAMPS = st.sampled_from([STAMP] * 6 + ["1969-12-31 23:59:59.999", "0024-11-15 10:00:00"])
KILLS = st.none() | st.integers(0, 8)
ROWS = st.sampled_from([0, 20_000])


class Killed(BaseException):
    """The job dies here."""


def row_of(table, key, **values):
    row = dict.fromkeys(SOURCE_TABLES[table].column_names, "1")
    row |= {"created_at": STAMP, "last_updated": STAMP, SOURCE_TABLES[table].key: str(key)}
    return row | values


def first_source():
    """A row of each table that is read whole, and none of the others."""
    source = {
        name: {1: row_of(name, 1)} if table.reading is Reading.WHOLE else {} for name, table in SOURCE_TABLES.items()
    }
    source["currency"][1]["currency_code"] = "GBP"
    return source


def new_order(source, key, day=GOOD, stamp=STAMP):
    """Put an order with its transaction and payment into a source."""
    order = row_of("sales_order", key, units_sold="5", agreed_delivery_date=day, created_at=stamp)
    source["sales_order"][key] = order | {"agreed_payment_date": GOOD, "unit_price": "2.50"}
    source["transaction"][key] = row_of(
        "transaction", key, transaction_type="SALE", sales_order_id=str(key), purchase_order_id=""
    )
    source["payment"][key] = row_of(
        "payment", key, transaction_id=str(key), payment_amount="9.00", paid="f", payment_date=GOOD
    )


class LakeModel(RuleBasedStateMachine):
    """One history."""

    shared: SimpleNamespace

    def __init__(self):
        super().__init__()
        self.stage = Stage(self.shared.servers, self.shared.spark)
        self.source = first_source()
        self.expected = Expected()
        self.changed = defaultdict(set)
        self.begun = defaultdict(set)
        self.gone = {}
        self.last = 0
        self._commit({}, keys=True, is_full=True)

    def _commit(self, read, keys, *, is_full=False):
        """Write a batch, or the end of one that was begun."""
        manifest = self.stage.commit(self.source, read, keys, is_full=is_full)
        whole = {
            n: rows.keys() if is_full else {*read.get(n, ()), *self.begun[n]} & rows.keys()
            for n, rows in self.source.items()
        }
        has_list = is_full or manifest.tables["payment"].key_parts is not None
        self.expected.apply(manifest.batch, copy.deepcopy(self.source), whole, has_list)
        self.changed, self.begun = defaultdict(set), defaultdict(set)

    def _change(self, name, key, **values):
        self.source[name][key] = self.source[name][key] | values
        self.changed[name].add(key)

    def _read(self):
        return {name: set(rows) for name, rows in self.changed.items() if rows}

    def _orders(self):
        return sorted(self.source["sales_order"])

    @rule(day=DAYS, stamp=STAMPS, is_negative=st.booleans())
    def insert_an_order(self, day, stamp, is_negative):
        self.last += 1
        key = -self.last if is_negative else self.last
        new_order(self.source, key, day, stamp)
        for name in FACTS:
            self.changed[name].add(key)

    @precondition(lambda self: self.source["sales_order"])
    @rule(data=st.data(), units=st.sampled_from(["5", "6"]))
    def change_an_order_there_or_back(self, data, units):
        self._change("sales_order", data.draw(st.sampled_from(self._orders())), units_sold=units)

    @precondition(lambda self: self.source["sales_order"])
    @rule(data=st.data())
    def change_an_order_and_change_it_back(self, data):
        key = data.draw(st.sampled_from(self._orders()))
        before = self.source["sales_order"][key]["units_sold"]
        for units in ("7", before):
            self._change("sales_order", key, units_sold=units)
            self.batch(keys=False, again=False)

    @precondition(lambda self: self.source["sales_order"])
    @rule(data=st.data(), day=DAYS)
    def spoil_or_mend_an_order(self, data, day):
        self._change("sales_order", data.draw(st.sampled_from(self._orders())), agreed_delivery_date=day)

    @precondition(lambda self: self.source["payment"])
    @rule(data=st.data(), paid=st.sampled_from(["t", "f"]))
    def pay(self, data, paid):
        self._change("payment", data.draw(st.sampled_from(sorted(self.source["payment"]))), paid=paid)

    @precondition(lambda self: self.source["sales_order"])
    @rule(data=st.data())
    def delete_an_order(self, data):
        key = data.draw(st.sampled_from(self._orders()))
        self.gone[key] = {name: self.source[name].pop(key) for name in FACTS}
        for name in FACTS:
            self.changed[name].discard(key)

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def bring_an_order_back(self, data):
        key = data.draw(st.sampled_from(sorted(self.gone)))
        for name, row in self.gone.pop(key).items():
            self.source[name][key] = row
            self.changed[name].add(key)

    @rule(keys=st.booleans(), again=st.booleans(), kill=KILLS, rows=ROWS, waits=st.booleans())
    def read_the_source(self, keys, again, kill, rows, waits):
        """`waits`: the batch is not transformed at once."""
        self.batch(keys, again)
        if not waits:
            self.run(kill, rows)

    def batch(self, keys, again):
        """`again`: rows that did not change are read once more, as when a transaction stays open."""
        read = self._read()
        if again:
            read |= {name: set(self.source[name]) for name in FACTS if self.source[name]}
        self._commit(read, keys)

    @precondition(lambda self: self.stage.number - self.stage.whole < 2)
    @rule()
    def read_a_part_of_the_source(self):
        """The rest is read later, and with it what changed meanwhile."""
        read = self._read()
        self.stage.commit(self.source, read, keys=False, is_last=False)
        for name, keys in read.items():
            self.begun[name] |= keys
        self.changed = defaultdict(set)

    @rule(what=st.sampled_from(["checksum", "part", "manifest"]), runs=st.booleans(), between=st.booleans())
    def a_batch_is_damaged_and_a_full_one_follows(self, what, runs, between):
        damaged = self.stage.commit(self.source, self._read(), keys=True)
        self.stage.spoil(damaged, what)
        if runs:
            with pytest.raises((TransformError, DamagedDocumentError)):
                self.stage.run()
        if between:
            self.stage.commit(self.source, {}, keys=False)
        self._commit({}, keys=True, is_full=True)

    @rule(kill=KILLS, rows=ROWS)
    def run(self, kill, rows):
        """`kill`: after how many commits the job dies; `rows`: up to how many rows a batch is decided by look-up."""
        commits, plain = 0, (Lake._commit, Bucket.put_once)

        def commit(lake, *arguments):
            nonlocal commits
            if commits == kill:
                raise Killed
            plain[0](lake, *arguments)
            commits += 1

        def put(bucket, *arguments):
            if kill is not None and kill >= 8:
                raise Killed
            plain[1](bucket, *arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(by_lookup, "SMALL_ROWS", rows)
            patch.setattr(Lake, "_commit", commit)
            patch.setattr(Bucket, "put_once", put)
            try:
                self.stage.run()
            except Killed:
                return
        checks.lake(self.stage, self.expected)

    @rule(is_loaded=st.booleans())
    def maintain(self, is_loaded):
        """`is_loaded`: the warehouse shows what is published."""
        checks.waiting_files(self.stage)
        if is_loaded:
            self.stage.confirm()
        self.stage.run("maintain")
        checks.waiting_files(self.stage)

    @rule()
    def list_the_files(self):
        if not self.stage.published():  # no precondition: what a killed run has published differs between runs
            return
        self.stage.run("list")
        checks.listing(self.stage, self.expected)

    def teardown(self):
        self._commit(self._read(), keys=True)
        self.run(None, 20_000)
        checks.waiting_files(self.stage)
        for name in FACTS:
            assert self.expected.shown(name) | self.expected.held[name] == self.source[name].keys()


def prepare(servers, spark, monkeypatch):
    """Let the model play on these servers; small files are compacted as often as can be."""
    monkeypatch.setattr(LakeModel, "shared", SimpleNamespace(servers=servers, spark=spark), raising=False)
    for name, batches in (("pending.BATCHES", 2), ("pending.BACKLOG", 4), ("staging.coming.BACKLOG", 4)):
        monkeypatch.setattr(f"glue_jobs.{name}", batches)
    monkeypatch.setattr("glue_jobs.maintenance.maintain.SMALL_FILES", 2)


def run_model(servers, spark, monkeypatch, examples, **options):
    """Try random histories."""
    prepare(servers, spark, monkeypatch)
    options = {"suppress_health_check": list(HealthCheck), "stateful_step_count": 14, "deadline": None, **options}
    run_state_machine_as_test(LakeModel, settings=settings(max_examples=examples, **options))
