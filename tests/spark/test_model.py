"""A model of the lake: random histories of a source, told by batches, against what the lake must then hold.

The source is a few dicts; its batches are written as the extraction would write them, and the real job runs over them,
killed now and then. ``MODEL_EXAMPLES`` sets how many histories are tried.
"""

import copy
import csv
import hashlib
import io
import os
import uuid
from collections import defaultdict
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from contracts.batch import Manifest, Part, SourceIdentity, TableExtract
from contracts.checksum import mix
from contracts.document import FORMAT
from contracts.layout import manifest_key
from contracts.source import SOURCE_TABLES
from contracts.star import LAKE_TABLES, STAR_TABLES
from contracts.store import Bucket, newest_publication_number
from contracts.table import Reading
from glue_jobs.lake import Lake
from glue_jobs.transform import main
from local.aws import ACCOUNT, REGION

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "3"))
STAMP = "2024-11-20 10:00:00"
GOOD, BAD = "2024-12-01", "2024-12-32"
FACTS = {"sales_order": "fact_sales_order", "transaction": "dim_transaction", "payment": "fact_payment"}


def _row(table, key, **values):
    row = dict.fromkeys(SOURCE_TABLES[table].column_names, "1")
    row |= {"created_at": STAMP, "last_updated": STAMP, SOURCE_TABLES[table].key: str(key)}
    return row | values


class Killed(BaseException):
    """The job dies here."""


class Stage:
    """Buckets, database and batches of one history."""

    def __init__(self, servers, spark):
        unique = uuid.uuid4().hex[:10]
        self.servers, self.spark, self.s3 = servers, spark, servers.client("s3")
        self.ingestion, self.processed, self.database = f"in-{unique}", f"out-{unique}", f"model_{unique}"
        configuration = spark.sparkContext._jsc.hadoopConfiguration()
        for bucket in (self.ingestion, self.processed):
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
            files = servers.home.s3 / ACCOUNT / bucket
            configuration.set(f"fs.viewfs.mounttable.{bucket}.linkFallback", f"file://{files}")
        servers.client("glue").create_database(
            DatabaseInput={"Name": self.database, "LocationUri": f"s3://{self.processed}/star"}
        )
        self.number = 0

    def commit(self, source, read, keys):
        """Write a batch: `read` has, for each table that it holds, the keys of its rows."""
        self.number += 1
        tables = {}
        for name, table in SOURCE_TABLES.items():
            rows = [source[name][key] for key in sorted(read.get(name, ()))]
            is_whole = self.number == 1 or (table.reading is Reading.WHOLE and name in read)
            listed = [{table.key: str(key)} for key in sorted(source[name])]
            tables[name] = TableExtract(
                read="whole" if is_whole else "changed" if rows else "nothing",
                columns=table.column_names,
                parts=self._part(name, table.column_names, rows),
                rows=len(rows),
                key_parts=self._part(f"keys/{name}", (table.key,), listed) if keys else None,
                source_count=len(source[name]),
                source_key_checksum=sum(map(mix, source[name])),
            )
        manifest = Manifest(
            format=FORMAT,
            batch=self.number,
            previous=self.number - 1 or None,
            first=self.number,
            unfinished=None,
            reason="",
            source=SourceIdentity("1", 1, 1),
            horizon=self.number,
            snapshot_time=f"2026-11-20T10:{self.number // 60:02d}:{self.number % 60:02d}.000000+00:00",
            tables=tables,
        )
        Bucket(self.s3, self.ingestion).put_once(manifest_key(self.number), manifest.to_json())

    def _part(self, place, columns, rows):
        if not rows:
            return ()
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        body = text.getvalue().encode()
        key = f"{place}/extracted_date=2026-11-20/{self.number:08d}-model-0001.csv"
        self.s3.put_object(Bucket=self.ingestion, Key=key, Body=body)
        return (Part(key, len(body), len(rows), hashlib.sha256(body).hexdigest()),)

    def run(self):
        arguments = ["--ingestion_bucket", self.ingestion, "--processed_bucket", self.processed]
        main([*arguments, "--database", self.database])

    def table(self, name):
        return Lake(self.spark, self.database, self.processed).read(LAKE_TABLES[name]).collect()


class Expected:
    """What the lake must hold: for each table and key its versions, each with its batch, and its deletions."""

    def __init__(self):
        self.versions = {name: defaultdict(list) for name in FACTS}
        self.deleted = {name: defaultdict(int) for name in FACTS}
        self.held = {name: set() for name in FACTS}
        self.seen = {name: {} for name in FACTS}

    def current(self, name, key):
        versions = self.versions[name][key]
        return versions[-1] if versions and versions[-1][0] > self.deleted[name][key] else None

    def apply(self, number, source, read, keys):
        for name in FACTS:
            rows = source[name]
            offered = set(read.get(name, ())) | (self.held[name] & rows.keys() if keys else self.held[name])
            self.held[name] = set()
            for key in sorted(offered):
                row = self._row(name, key, rows)
                if self._is_bad(name, row):
                    self.held[name].add(key)
                elif not (current := self.current(name, key)) or current[1] != row:
                    self.versions[name][key].append((number, row))
                self.seen[name][key] = row
            if keys or number == 1:
                for key in list(self.versions[name]):
                    if key not in rows and self.current(name, key):
                        self.deleted[name][key] = number

    def _row(self, name, key, rows):
        """The row as the batch has it; of a held one that is gone, as it was last seen."""
        return rows[key] if key in rows else self.seen[name][key]

    def _is_bad(self, name, row):
        if name == "sales_order":
            return row["agreed_delivery_date"] == BAD
        parent, column = {
            "transaction": ("sales_order", "sales_order_id"),
            "payment": ("transaction", "transaction_id"),
        }[name]
        return not self.versions[parent][int(row[column])]


class LakeModel(RuleBasedStateMachine):
    """Changes of the source, batches and runs in any order."""

    shared: SimpleNamespace

    def __init__(self):
        super().__init__()
        self.stage = Stage(self.shared.servers, self.shared.spark)
        self.source = {
            name: {1: _row(name, 1)} if table.reading is Reading.WHOLE else {} for name, table in SOURCE_TABLES.items()
        }
        self.source["currency"][1]["currency_code"] = "GBP"
        self.expected = Expected()
        self.changed = defaultdict(set)
        self.gone = {}
        self.last = 0
        self._commit({name: set(rows) for name, rows in self.source.items()}, keys=True)

    def _commit(self, read, keys):
        self.stage.commit(self.source, read, keys)
        self.expected.apply(self.stage.number, copy.deepcopy(self.source), read, keys)
        self.changed = defaultdict(set)

    def _change(self, name, key, **values):
        self.source[name][key] = self.source[name][key] | values
        self.changed[name].add(key)

    def _orders(self):
        return sorted(self.source["sales_order"])

    @rule(is_bad=st.booleans())
    def insert_an_order(self, is_bad):
        self.last += 1
        key = self.last
        order = _row("sales_order", key, units_sold="5", agreed_delivery_date=BAD if is_bad else GOOD)
        order |= {"agreed_payment_date": GOOD, "unit_price": "2.50"}
        self.source["sales_order"][key] = order
        self.source["transaction"][key] = _row(
            "transaction", key, transaction_type="SALE", sales_order_id=str(key), purchase_order_id=""
        )
        self.source["payment"][key] = _row(
            "payment", key, transaction_id=str(key), payment_amount="9.00", paid="f", payment_date=GOOD
        )
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
    @rule(data=st.data(), day=st.sampled_from([GOOD, BAD]))
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

    @rule(keys=st.booleans(), again=st.booleans())
    def read_the_source(self, keys, again):
        self.batch(keys, again)

    def batch(self, keys, again):
        """`again`: rows that did not change are read once more, as when a transaction stays open."""
        read = {name: set(rows) for name, rows in self.changed.items() if rows}
        if again:
            read |= {name: set(self.source[name]) for name in FACTS if self.source[name]}
        self._commit(read, keys)

    @rule(kill=st.none() | st.integers(0, 8))
    def run(self, kill):
        commits = 0
        plain = Lake._commit, Bucket.put_once

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
            patch.setattr(Lake, "_commit", commit)
            patch.setattr(Bucket, "put_once", put)
            try:
                self.stage.run()
            except Killed:
                return
        self.check()

    def check(self):
        number = newest_publication_number(Bucket(self.stage.s3, self.stage.processed))
        assert number == self.stage.number
        for name, star in FACTS.items():
            if STAR_TABLES[star].record_id:
                self._check_fact(name, STAR_TABLES[star])
        transactions = sorted(row["transaction_id"] for row in self.stage.table("dim_transaction"))
        assert transactions == sorted(key for key, seen in self.expected.versions["transaction"].items() if seen)
        held = {
            (r["source_table"], r["source_key"]) for r in self.stage.table("quarantine") if r["closed_batch"] is None
        }
        assert held == {(name, key) for name, keys in self.expected.held.items() for key in keys}
        deleted = {
            (r["source_table"], r["source_key"]): r["batch_id"]
            for r in sorted(self.stage.table("source_deletion"), key=lambda r: r["batch_id"])
        }
        assert deleted == {
            (name, key): batch for name, keys in self.expected.deleted.items() for key, batch in keys.items() if batch
        }

    def _check_fact(self, name, star):
        column = {"sales_order": "units_sold", "payment": "paid"}[name]
        found = defaultdict(list)
        for row in sorted(self.stage.table(star.name), key=lambda r: r[star.record_id]):
            value = row[column] if name == "sales_order" else "t" if row[column] else "f"
            found[row[star.key]].append((row["batch_id"], str(value)))
        expected = {
            key: [(batch, row[column]) for batch, row in versions]
            for key, versions in self.expected.versions[name].items()
            if versions
        }
        assert found == expected

    def teardown(self):
        self._commit({name: set(rows) for name, rows in self.changed.items() if rows}, keys=True)
        self.run(None)
        for name in FACTS:
            shown = {key for key in self.expected.versions[name] if self.expected.current(name, key)}
            assert shown | self.expected.held[name] == self.source[name].keys()


def run_model(servers, spark, monkeypatch, examples, **options):
    """Try random histories."""
    monkeypatch.setattr(LakeModel, "shared", SimpleNamespace(servers=servers, spark=spark), raising=False)
    options = {"suppress_health_check": list(HealthCheck), "stateful_step_count": 14, "deadline": None, **options}
    run_state_machine_as_test(LakeModel, settings=settings(max_examples=examples, **options))


def test_g7_random_histories_are_in_the_lake_as_they_were_seen(servers, spark, monkeypatch):
    # the few of every run are always the same
    run_model(servers, spark, monkeypatch, EXAMPLES, derandomize="MODEL_EXAMPLES" not in os.environ, print_blob=True)
