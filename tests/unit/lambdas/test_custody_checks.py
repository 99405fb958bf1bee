"""Whose a ledger is, and what may follow what it has loaded: decided from what was read."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from contracts.errors import CustodyError
from lambdas.errors import PublicationGapError
from lambdas.load.custody import (
    Custody,
    Entry,
    Owner,
    check_empty,
    check_newest,
    check_owner,
    check_rebuild,
    is_next,
)
from tests.support.samples import LAKE, TIME, publication

HERE = Owner(LAKE, "processed", "public")
OTHER = Owner("fedcba9876543210fedcba9876543210", "processed-of-old", "public")


def entry(published, *, is_legacy=False):
    moments = (datetime.fromisoformat(published.snapshot_time), datetime.fromisoformat(published.published_at))
    return Entry(published.batch, *moments, None if is_legacy else published.digest)


def custody(last=0, *, owner=HERE, is_legacy=False):
    return Custody("etl", owner, entry(publication(last), is_legacy=is_legacy) if last else None)


def test_g5_another_lakes_ledger_is_refused_and_both_are_named():
    with pytest.raises(CustodyError) as refused:
        check_owner(custody(3, owner=OTHER), HERE)
    for text in (OTHER.lake, OTHER.bucket, LAKE, "Nothing was loaded", "ledger_schema", '{"mode": "take_over"}'):
        assert text in str(refused.value)


@pytest.mark.parametrize(
    "owner",
    [None, HERE, replace(HERE, bucket="moved"), replace(OTHER, lake="")],
    ids=["none", "own", "moved", "unnamed"],
)
def test_a_ledger_that_is_not_known_to_be_anothers_is_used(owner):
    check_owner(custody(3, owner=owner), HERE)
    check_owner(custody(3, owner=HERE), replace(HERE, lake=""))  # a document of format 1


def test_g5_a_ledger_that_tells_of_other_star_tables_is_refused():
    with pytest.raises(CustodyError, match=r"star schema public.*star schema dev"):
        check_owner(custody(3), replace(HERE, star_schema="dev"))


def test_g5_another_publication_of_the_same_number_is_refused():
    check_newest(custody(3), HERE, publication(3), None)
    other = replace(publication(3), manifest="ef" * 32)
    with pytest.raises(
        CustodyError, match=r"has loaded another publication of batch 3 than publications/00000003.json"
    ):
        check_newest(custody(3), HERE, other, None)


@pytest.mark.parametrize("moment", ["snapshot_time", "published_at"])
def test_g5_what_an_earlier_release_loaded_is_known_by_its_moments(moment):
    legacy = custody(3, owner=None, is_legacy=True)
    check_newest(legacy, HERE, replace(publication(3), manifest="ef" * 32), None)
    other = replace(publication(3), **{moment: datetime(2026, 1, 1, tzinfo=UTC).isoformat(timespec="microseconds")})
    with pytest.raises(CustodyError, match="another publication of batch 3"):
        check_newest(legacy, HERE, other, None)


def test_g5_a_ledger_ahead_of_the_lake_is_refused():
    with pytest.raises(CustodyError, match=r"Ledger etl is ahead of the lake: it has batch 3"):
        check_newest(custody(3), HERE, None, None)


def test_g5_a_lost_publication_of_a_loaded_batch_is_named():
    with pytest.raises(CustodyError, match=r"00000003.json is missing.*Restore the object"):
        check_newest(custody(3), HERE, None, publication(4))


def test_g5_a_range_that_the_ledger_ends_inside_of_is_refused():
    both = replace(publication(4), first=2)
    with pytest.raises(CustodyError, match=r"takes the batches 2 to 4 together.*ends among them, with batch 3"):
        check_newest(custody(3), HERE, None, both)
    with pytest.raises(CustodyError, match="together"):
        is_next(custody(3), both, None)


def test_only_what_the_ledger_has_is_called_loaded_already():
    assert is_next(custody(3), publication(4), None)
    assert not is_next(custody(3), publication(3), entry(publication(3)))
    assert not is_next(custody(5), publication(3), entry(publication(3)))
    with pytest.raises(CustodyError, match=r"is at batch 5 and did not load publications/00000003.json"):
        is_next(custody(5), publication(3), None)
    with pytest.raises(CustodyError, match="did not load"):
        is_next(custody(5), replace(publication(3), manifest="ef" * 32), entry(publication(3)))
    with pytest.raises(PublicationGapError, match="ends with batch 4 is missing"):
        is_next(custody(3), publication(5), None)


def test_g5_facts_without_a_ledger_are_refused():
    check_empty(custody(), [])
    check_empty(custody(3), ["fact_payment"])
    with pytest.raises(CustodyError, match=r"Ledger etl is empty, and fact_payment hold rows.*ledger_schema"):
        check_empty(custody(), ["fact_payment"])


def test_g11_a_rebuild_replaces_nothing_of_another_lakes():
    check_rebuild(custody(3), HERE, replace(publication(3), manifest="ef" * 32), 3)  # made anew of the same batches
    check_rebuild(custody(3), HERE, None, 4)  # other batches are taken together now
    check_rebuild(custody(), HERE, None, 1)
    with pytest.raises(CustodyError, match=r'belongs to.*\{"mode": "take_over"\}'):
        check_rebuild(custody(3, owner=OTHER), HERE, publication(3), 3)
    with pytest.raises(CustodyError, match=r'would go back.*\{"mode": "take_over"\}'):
        check_rebuild(custody(3), HERE, None, 2)


def test_g11_a_rebuild_of_a_ledger_without_an_owner_knows_it_by_its_snapshot():
    legacy = custody(3, owner=None, is_legacy=True)
    later = "2026-11-21T00:00:00.000000+00:00"
    check_rebuild(legacy, HERE, replace(publication(3), published_at=later), 3)
    for shown in (None, replace(publication(3), snapshot_time=later)):
        with pytest.raises(CustodyError, match=r'does not say whose it is.*\{"mode": "take_over"\}'):
            check_rebuild(legacy, HERE, shown, 4)
    with pytest.raises(CustodyError, match="does not say"):
        check_rebuild(custody(3), replace(HERE, lake=""), replace(publication(3), snapshot_time=later), 4)
    assert later != TIME
