"""Whether the previous batch can be built upon: shapes of tables, and witnesses of the source's history."""

from dataclasses import replace

import pytest

from contracts.protocol.manifest import SourceIdentity, Unfinished, Witness
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.star import modelled
from lambdas.errors import SourceMovedError
from lambdas.extract.event import Request
from lambdas.extract.manifest import news
from lambdas.extract.plan import is_read_whole, plan
from lambdas.extract.trust import why_everything
from lambdas.extract.witness import contradiction, take
from tests.support.samples import SCHEMA, SOURCE, extract, manifest, position, shape
from tests.unit.lambdas.test_plan import FakeSnapshot

LATER = "2026-11-21T09:00:00.000000+00:00"


def _with_shape(name, **parts):
    return {**SCHEMA, name: replace(SCHEMA[name], shape=replace(SCHEMA[name].shape, **parts))}


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"relation": 99}, "another table than before (oid 16500, now 99)"),
        ({"columns": (*shape("payment").columns, "99 note text")}, "its columns were fewer and are 99 note text"),
        (
            {"columns": shape("payment").columns[:-1]},
            "its columns were 12 counterparty_ac_number integer and are fewer",
        ),
        ({"children": (17,)}, "other tables inherit from it than before (0, now 1)"),
    ],
)
def test_g1_a_table_that_is_another_one_is_read_whole_with_the_reason(parts, reason):
    planned = plan(FakeSnapshot(schema=_with_shape("payment", **parts)), manifest(7))
    assert reason in planned.reasons["payment"] and not planned.reason and not planned.may_skip_commit
    assert {n for n in planned.remaining.tables if is_read_whole(SOURCE_TABLES[n], planned.remaining)} == {"payment"}


def test_g1_a_group_is_read_whole_when_one_of_it_is_another_one():
    planned = plan(FakeSnapshot(schema=_with_shape("department", relation=99)), manifest(7), seconds=0)
    assert set(planned.remaining.tables) == {"department", "staff"}


@pytest.mark.parametrize("number", [1, 2])
def test_g1_a_manifest_that_does_not_tell_what_the_tables_were_and_became_leads_to_a_full_batch(number):
    before = replace(manifest(3), format=number)
    assert f"of format {number}, which does not tell what the tables" in why_everything(before, SOURCE, 1001, 1001)
    assert why_everything(manifest(3), SOURCE, 1001, 1001) == ""


def test_g1_a_table_is_read_whole_when_the_contract_makes_more_of_it_than_before():
    known = tuple(name for name in modelled("payment") if name != "fact_payment.paid")
    before = manifest(7, payment=replace(extract("payment"), modelled=known))
    planned = plan(FakeSnapshot(), before)
    assert planned.reasons == {"payment": "the contract has gained fact_payment.paid"}
    assert is_read_whole(SOURCE_TABLES["payment"], planned.remaining) and not planned.may_skip_commit


def test_g1_a_table_that_the_contract_did_not_have_is_read_whole(monkeypatch):
    monkeypatch.setattr("contracts.protocol.manifest.FIRST_SOURCE_TABLES", frozenset(SOURCE_TABLES) - {"payment"})
    before = manifest(7)
    before = replace(before, tables={name: e for name, e in before.tables.items() if name != "payment"})
    assert plan(FakeSnapshot(), before).reasons == {"payment": "it is new in the contract"}
    unfinished = replace(before, unfinished=Unfinished(None, 5, {}), reason="first batch", first=7)
    assert "while the batch was being read, payment: it is new" in plan(FakeSnapshot(), unfinished).reason


def test_g4_a_table_that_moved_after_the_snapshot_stops_the_plan():
    with pytest.raises(SourceMovedError, match="payment changed as a whole"):
        plan(FakeSnapshot(moved={"payment"}), manifest(7))


def test_what_is_asked_for_is_read_whole():
    everything = plan(FakeSnapshot(), manifest(7), Request(everything=True))
    assert everything.reason == "everything was asked for" and set(everything.remaining.tables) == set(SOURCE_TABLES)
    some = plan(FakeSnapshot(), manifest(7), Request(tables=frozenset({"payment"})), seconds=0)
    assert some.reasons == {"payment": "it was asked for"} and some.remaining.tables == {"payment": None}
    assert some.remaining.whole == ("payment",) and not some.may_skip_commit


def test_g5_batches_that_the_ingestion_bucket_lost_are_followed_by_a_full_one_after_the_lake():
    for previous, text in ((None, "there is none"), (manifest(2), "the newest is 2")):
        planned = plan(FakeSnapshot(), previous, published=5)
        assert (
            planned.batch == planned.first == 6
            and "the lake is at batch 5" in planned.reason
            and text in planned.reason
        )


@pytest.mark.parametrize(
    ("rows", "contradicts"),
    [
        ([(3, 995), (2, 991)], False),
        ([(3, 1000), (2, 991)], False),  # changed since
        ([(2, 991)], False),  # one is deleted
        ([(3, 995), (2, 991), (9, 1400)], False),  # new
        ([(3, 995), (2, 991), (1, 999)], True),  # of a transaction that had ended: it would have been there
        ([(3, 994), (2, 991)], True),  # as it was before
        ([(3, 2), (2, 991)], True),
        ([], True),  # all are gone
    ],
)
def test_g1_a_server_started_anew_is_believed_only_what_the_batch_before_saw(rows, contradicts):
    snapshot = FakeSnapshot(versions={"payment": rows})
    before = manifest(3)
    now = position(1500, 1500)
    assert contradiction(snapshot, now, before) == ""  # the server ran all the time
    restarted = replace(now, server_started=LATER)
    found = contradiction(snapshot, restarted, before)
    assert ("payment" in found) is contradicts
    planned = plan(FakeSnapshot(versions={"payment": rows}, started=LATER), before)
    assert bool(planned.reason) is contradicts


class Versions:
    """Row versions of every table, as (key, xmin) with xmin of 32 bits."""

    def __init__(self, versions):
        self.versions, self.scans = versions, 0

    def newest_versions(self, table, limit):
        self.scans += 1
        return self.versions[:limit]

    def highest_keys(self, table, limit):
        return sorted(self.versions, reverse=True)[:limit]

    def versions_of(self, table, keys):
        return [(key, xmin) for key, xmin in self.versions if key in keys]


def _taken(versions, previous=None, read=None, horizon=2**32 + 1000, count=100):
    snapshot = Versions(versions)
    found = take(snapshot, position(horizon, horizon + 5), previous, read or {}, dict.fromkeys(SOURCE_TABLES, count))
    return found["payment"], snapshot.scans


def test_a_witness_is_every_row_version_since_a_transaction():
    full = 2**32
    versions = [(key, 999 - key // 3) for key in range(60)]  # three rows a transaction, the newest first
    found, _ = _taken(versions, read={"payment": None})
    assert found.since == full + 994 and len(found.rows) == 18
    assert all(xid >= found.since for _, xid in found.rows)
    found, _ = _taken([(1, 1001), (2, 999)], read={"payment": None})  # at the horizon and after it nothing is certain
    assert found.rows == ((2, full + 999),)
    found, _ = _taken([(key, 990) for key in range(21)], read={"payment": None})
    assert found == Witness(full + 991, ())


def test_a_large_table_is_not_scanned_for_its_witness():
    full = 2**32
    versions = [(key, 900) for key in range(100)] + [(100, 1001)]  # the newest is not below the horizon
    found, scans = _taken(versions, count=10**6)
    assert scans == 0 and found == Witness(full + 1000, tuple((key, full + 900) for key in range(99, 80, -1)))


def test_a_witness_is_kept_and_continued_without_scanning():
    full = 2**32
    before = manifest(3)
    kept = Witness(full + 900, ((7, full + 950), (8, full + 940)))
    tables = {name: replace(t, witness=kept) for name, t in before.tables.items()}
    before = replace(before, tables=tables)
    found, scans = _taken([(8, 980)], before, {"payment": (8,)})
    assert found == Witness(full + 900, ((8, full + 980), (7, full + 950))) and scans == 0
    assert _taken([], before, {}) == (kept, 0)
    assert _taken([(1, 5)], before, {"payment": None})[1] == 1


REFUSING = SourceIdentity(SOURCE.system_identifier, None, SOURCE.database_oid, ("timeline (55000)",))


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (SOURCE, REFUSING, "the source told its timeline before (1) and refuses to tell it now: it may be another one"),
        (
            REFUSING,
            SOURCE,
            "the source refused to tell its timeline before and tells it now (1): it may be another one",
        ),
        (REFUSING, REFUSING, ""),
        (REFUSING, replace(REFUSING, refused=("timeline (42501)",)), ""),
        (REFUSING, replace(REFUSING, system_identifier=None), "told its cluster before (7412345678901234567)"),
        (REFUSING, replace(REFUSING, database_oid=5), "another database than before (16384, now 5)"),
    ],
)
def test_g1_what_the_source_refuses_to_tell_now_and_not_before_leads_to_a_full_batch(before, now, reason):
    found = why_everything(replace(manifest(3), source=before), now, 1001, 1001)
    assert (reason in found) if reason else found == ""


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([(3, 995), (2, 991)], ""),
        ([(3, 1000), (2, 991)], ""),  # changed since
        ([(2, 991)], ""),  # one is deleted
        ([(3, 994), (2, 991)], "although its server says that it ran on: row 3 of payment is of transaction 994"),
        ([], "although its server says that it ran on: the newest rows of payment are gone"),
    ],
)
@pytest.mark.parametrize("part", ["timeline", "system_identifier"])
def test_g1_a_source_that_refuses_a_part_of_its_identity_is_looked_at_in_every_extraction(part, rows, reason):
    snapshot = FakeSnapshot(versions={"payment": rows})
    now = position(1500, 1500)
    assert contradiction(snapshot, now, manifest(3)) == "" and not snapshot.looked_up
    refusing = replace(now, identity=replace(SOURCE, **{part: None}))
    found = contradiction(snapshot, refusing, manifest(3))
    assert (reason in found) if reason else found == ""
    assert snapshot.looked_up and not snapshot.scanned


def test_g1_a_source_that_refuses_its_timeline_and_was_started_anew_is_looked_at_whole():
    snapshot = FakeSnapshot(versions={"payment": [(3, 995), (2, 991), (1, 999)]})
    now = replace(position(1500, 1500, started=LATER), identity=REFUSING)
    assert "row 1 of payment" in contradiction(snapshot, now, manifest(3)) and snapshot.scanned


def test_what_the_source_refuses_to_tell_is_told_once():
    refusing = replace(manifest(3), source=REFUSING)
    snapshot = FakeSnapshot(identity=REFUSING)
    assert news(plan(snapshot, refusing), refusing) == []
    for previous in (None, manifest(3)):
        told = news(plan(snapshot, previous), previous)
        assert told[0].startswith("the source refuses to tell its timeline (55000): every extraction looks")
    assert news(plan(FakeSnapshot(), None), None) == []
