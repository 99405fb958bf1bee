"""What an extraction decides to read."""

from dataclasses import replace

import pytest

from contracts.protocol.manifest import Manifest, Part, SourceIdentity
from contracts.protocol.object_layout import manifest_key
from contracts.tables.source import SOURCE_TABLES
from lambdas.errors import SourceSchemaError
from lambdas.extract.manifest import adds_nothing, build_manifest
from lambdas.extract.plan import Outcome, is_read_whole, plan
from lambdas.extract.schema_check import check_schema
from lambdas.extract.shapes import ColumnFound, Relation, normalise_type
from lambdas.extract.snapshot import COMPARABLE_AGE, TableStatistics
from lambdas.extract.trust import why_everything
from tests.support.samples import LAKE, SCHEMA, SOURCE, TIME, extract, manifest, position, shape


class FakeSnapshot:
    def __init__(self, *, changed=(), schema=SCHEMA, moved=(), started=TIME, versions=None, identity=SOURCE):
        self._changed, self._schema, self._moved, self._started = changed, schema, moved, started
        self.versions, self._identity = versions or {}, identity
        self.scanned, self.looked_up = [], []
        self.horizons = set()

    def position(self):
        return position(started=self._started, identity=self._identity)

    def catalog(self):
        return self._schema

    def moved(self, tables):
        return [name for name in tables if name in self._moved]

    def versions_of(self, table, keys):
        self.looked_up.append(table.name)
        return [row for row in self.versions.get(table.name, [(3, 995), (2, 991)]) if row[0] in keys]

    def versions_since(self, table, since, horizon, keys):
        self.scanned.append(table.name)
        return self.versions.get(table.name, [(3, 995), (2, 991)])

    def statistics(self, table, horizon, *, count_changed):
        self.horizons.add(horizon)
        changed = 2 if horizon is None or table.name in self._changed else 0
        return TableStatistics(count=3, key_checksum=42, changed=changed if count_changed(3) else None)


def test_first_batch_reads_everything_and_says_so():
    snapshot = FakeSnapshot()
    planned = plan(snapshot, None)
    assert planned.batch == planned.first == 1 and planned.reason == "first batch" and planned.remaining.since is None
    assert planned.remaining.tables == dict.fromkeys(SOURCE_TABLES)
    assert snapshot.horizons == {None} and not planned.may_skip_commit


def test_no_change_makes_no_batch():
    snapshot = FakeSnapshot()
    planned = plan(snapshot, manifest(7))
    assert planned.may_skip_commit and snapshot.horizons == {1000}
    assert set(planned.remaining.tables) == {
        "sales_order",
        "purchase_order",
        "transaction",
        "payment",
    }  # reading will tell
    assert plan(snapshot, manifest(7), seconds=0).remaining.tables == {}


def test_changed_rows_are_read_incrementally_and_reference_tables_whole_with_their_group():
    planned = plan(FakeSnapshot(changed={"sales_order", "department"}), manifest(7), seconds=0)
    assert planned.batch == 8 and not planned.reason
    assert planned.remaining.since == 1000
    assert {name: is_read_whole(SOURCE_TABLES[name], planned.remaining) for name in planned.remaining.tables} == {
        "sales_order": False,
        "department": True,
        "staff": True,
    }


@pytest.mark.parametrize(
    ("identity", "horizon", "next_xid", "reason"),
    [
        (SourceIdentity("another", 1, 16384), 1001, 1001, "another cluster"),
        (SourceIdentity(SOURCE.system_identifier, 2, 16384), 1001, 1001, "timeline"),
        (SourceIdentity(SOURCE.system_identifier, 1, 5), 1001, 1001, "database"),
        (SOURCE, 999, 1001, "backwards"),
        (SOURCE, 1001, 1000 + COMPARABLE_AGE + 1, "too old"),
        (SOURCE, 1001, 1000 + COMPARABLE_AGE, ""),
        (SOURCE, 1000, 1000, ""),
    ],
)
def test_g1_a_horizon_that_cannot_be_trusted_leads_to_one_full_batch(identity, horizon, next_xid, reason):
    found = why_everything(manifest(3), identity, horizon, next_xid)
    assert (reason in found) if reason else found == ""


def test_g10_every_difference_of_the_schema_is_named_before_anything_is_read():
    schema = {name: replace(relation, columns=dict(relation.columns)) for name, relation in SCHEMA.items()}
    del schema["design"]
    del schema["staff"].columns["email_address"]
    schema["payment"].columns["paid"] = ColumnFound("paid", "text", False)
    schema["address"].columns["address_id"] = ColumnFound("address_id", "integer", False)
    snapshot = FakeSnapshot(schema=schema)
    with pytest.raises(SourceSchemaError) as refused:
        plan(snapshot, None)
    for difference in (
        "table design is missing",
        "column staff.email_address is missing",
        "column payment.paid is text, expected boolean",
        "address.address_id is no longer the primary key",
    ):
        assert difference in str(refused.value)
    assert snapshot.horizons == set()


def test_g10_columns_and_tables_that_the_contract_does_not_know_are_no_error():
    columns = {**SCHEMA["staff"].columns, "nickname": ColumnFound("nickname", "text", False)}
    check_schema({**SCHEMA, "parrot": Relation(shape("staff")), "staff": replace(SCHEMA["staff"], columns=columns)})


def test_rows_that_the_previous_batch_held_already_make_no_batch():
    previous = manifest(4, sales_order=extract("sales_order", read="changed", sha256="same"))
    nothing = {name: extract(name, read="nothing", rows=0) for name in SOURCE_TABLES if name != "sales_order"}
    again = manifest(5, reason="", sales_order=extract("sales_order", read="changed", sha256="same"), **nothing)
    other = manifest(5, reason="", sales_order=extract("sales_order", read="changed", sha256="new"), **nothing)
    assert adds_nothing(again, previous)
    assert not adds_nothing(other, previous)
    assert not adds_nothing(manifest(1), None)
    assert not adds_nothing(manifest(5, reason="another source"), previous)


def test_manifest_says_what_was_read():
    planned = plan(FakeSnapshot(changed={"sales_order"}), manifest(7))
    parts = {"sales_order": (Part("k1", 10, 2, "aa"), Part("k2", 10, 1, "bb"))}
    outcome = Outcome(reads={"sales_order": "changed"}, parts=parts)
    written = build_manifest(planned, outcome, lake=LAKE, extracted_at=TIME, witnesses={})
    assert written.batch == 8 and written.previous == 7 and written.horizon == 1001
    assert written.tables["sales_order"].rows == 3 and written.tables["payment"].read == "nothing"
    assert Manifest.from_json(written.to_json(), manifest_key(8)) == written


@pytest.mark.parametrize(
    ("found", "normal"),
    [
        ("character varying(3)", "character varying"),
        ("timestamp(3) without time zone", "timestamp without time zone"),
        ("numeric(12,4)", "numeric(12,4)"),
        ("integer", "integer"),
    ],
)
def test_types_are_compared_without_lengths_that_do_not_matter(found, normal):
    assert normalise_type(found) == normal
