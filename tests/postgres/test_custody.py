"""Ledgers, lakes and buckets that do not belong together: found before anything is loaded or confirmed, and the way out."""

from dataclasses import replace

import psycopg
import pytest

from contracts.errors import CustodyError
from contracts.protocol.object_layout import load_key, publication_key
from contracts.protocol.publication import Publication
from lambdas.errors import EventError
from lambdas.load import run
from lambdas.load.settings import LoadSettings
from tests.support.lake import FakeLake
from tests.support.pipeline import Pipeline
from tests.support.publications import dump, order, publish_some, use_warehouse

TAKE_OVER = {"step": "rebuild", "take_over": True}


@pytest.fixture
def old(pipeline):
    lake = FakeLake(pipeline)
    publish_some(lake)
    assert pipeline.load()["loaded"] == [1, 2, 3]
    return lake


@pytest.fixture
def new(pipeline, old, servers, monkeypatch):
    """A lake of its own, deployed in front of the warehouse of the old one."""
    other = Pipeline(servers, monkeypatch)
    use_warehouse(other, pipeline.warehouse_url)
    return FakeLake(other)


def _as(pipeline):
    """Let the functions run as this pipeline's deployment."""
    for name, value in pipeline.variables.items():
        pipeline.monkeypatch.setenv(name, value)


def _fresh(lake):
    """What a warehouse holds that was never another lake's."""
    shown = lake.pipeline.warehouse_url
    use_warehouse(lake.pipeline, lake.pipeline.servers.create_database(lake.pipeline.servers.warehouse))
    lake.pipeline.load()
    found = dump(lake.pipeline.warehouse_url)
    use_warehouse(lake.pipeline, shown)
    return found


def _make_anew(lake):
    """Let the lake have other publications of the same batches."""
    for number in range(1, lake.batch + 1):
        key = publication_key(number)
        body = lake.pipeline.s3.get_object(Bucket=lake.pipeline.processed, Key=key)["Body"].read()
        anew = replace(Publication.from_json(body, key), published_at="2026-11-23T09:00:00.123456+00:00")
        lake.put(lake.pipeline.processed, key, anew.to_json())


def _forget(url):
    """Make a ledger what an earlier release left."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "alter table etl.batch drop publication_digest cascade, drop lake cascade, drop time_zone cascade"
        )
        connection.execute("drop table etl.owner")
        connection.execute("delete from etl.migration where number >= 5")


def test_g5_the_ledger_says_whose_it_is_and_what_it_loaded(pipeline, old):
    (owner,) = pipeline.warehouse("select lake, lake_bucket, star_schema, since is not null from etl.owner")
    assert owner == (old.lake, pipeline.processed, "public", True)
    rows = pipeline.warehouse("select batch, publication_digest, lake, time_zone from etl.batch order by 1")
    for batch, digest, lake, zone in rows:
        key = publication_key(batch)
        body = pipeline.s3.get_object(Bucket=pipeline.processed, Key=key)["Body"].read()
        assert (digest, lake, zone) == (Publication.from_json(body, key).digest, old.lake, "UTC")


def test_g5_another_lake_before_an_old_warehouse_loads_and_confirms_nothing(pipeline, old, new):
    publish_some(new)  # the same numbers, and more
    new.publish({"fact_sales_order": [order(1, 4711)]})
    before = dump(pipeline.warehouse_url)
    with pytest.raises(CustodyError, match=rf"belongs to lake {old.lake}.*this load is of lake {new.lake}"):
        new.pipeline.load()
    assert dump(pipeline.warehouse_url) == before
    assert new.pipeline.keys(new.pipeline.processed, "loads/") == []


@pytest.mark.parametrize("batches", [0, 1], ids=["empty", "shorter"])
def test_g5_a_ledger_ahead_of_its_lake_is_not_confirmed(pipeline, old, new, batches):
    for _ in range(batches):
        new.publish({"dim_design": [(1, "Tote", "/x", "1.json")]})
    with pytest.raises(CustodyError, match="belongs to" if batches else "ahead of the lake"):
        new.pipeline.load()
    assert new.pipeline.keys(new.pipeline.processed, "loads/") == []


def test_g5_a_lake_that_lost_publications_is_told(pipeline, old):
    pipeline.s3.delete_object(Bucket=pipeline.processed, Key=publication_key(3))
    with pytest.raises(CustodyError, match="Ledger etl is ahead of the lake: it has batch 3"):
        pipeline.load()
    old.publish({"fact_sales_order": [order(1, 50)]})
    with pytest.raises(CustodyError, match=r"publications/00000003.json is missing"):
        pipeline.load()


def test_g5_a_publication_of_batches_that_the_ledger_ends_inside_of_is_not_called_loaded(pipeline, old):
    published = old.publish({"fact_sales_order": [order(1, 50)]})
    old.put(pipeline.processed, publication_key(4), replace(published, first=2).to_json())
    with pytest.raises(CustodyError, match="takes the batches 2 to 4 together"):
        pipeline.load()
    assert pipeline.keys(pipeline.processed, "loads/") == [load_key(3)]


def test_g5_of_two_lakes_that_begin_at_once_the_second_is_refused(pipeline, servers, monkeypatch):
    """Both find an empty ledger; while one waits for the lock, the other loads its batches of the same numbers."""
    first, second = FakeLake(pipeline), FakeLake(Pipeline(servers, monkeypatch))
    use_warehouse(second.pipeline, pipeline.warehouse_url)
    publish_some(first)
    publish_some(second)
    plain, begun = run.check_custody, []

    def check(warehouse, processed):
        last = plain(warehouse, processed)
        if not begun:
            begun.append(last)
            _as(pipeline)
            pipeline.load()
        return last

    monkeypatch.setattr(run, "check_custody", check)
    with pytest.raises(CustodyError, match=rf"belongs to lake {first.lake}"):
        second.pipeline.load()
    assert begun == [0] and second.pipeline.keys(second.pipeline.processed, "loads/") == []


def test_g5_of_two_lakes_without_names_the_second_is_refused_as_well(pipeline, servers, monkeypatch):
    first, second = FakeLake(pipeline), FakeLake(Pipeline(servers, monkeypatch))
    use_warehouse(second.pipeline, pipeline.warehouse_url)
    first.head = {"format": 1}
    second.head = {"format": 1, "snapshot_time": "2026-11-20T10:00:00.000000+00:00"}
    publish_some(first)
    publish_some(second)
    _as(pipeline)
    pipeline.load()
    _as(second.pipeline)
    with pytest.raises(CustodyError, match="has loaded another publication of batch 3"):
        second.pipeline.load()
    assert second.pipeline.keys(second.pipeline.processed, "loads/") == []


def test_a_ledger_of_an_earlier_release_is_adopted_where_it_is_the_lakes(pipeline):
    lake = FakeLake(pipeline)
    lake.head = {"format": 1}
    publish_some(lake)
    pipeline.load()
    _forget(pipeline.warehouse_url)
    assert pipeline.load()["loaded"] == []
    assert pipeline.warehouse("select * from etl.owner") == []
    lake.head = {}
    lake.publish({"fact_sales_order": [order(1, 50)]})
    assert pipeline.load()["loaded"] == [4]
    assert pipeline.warehouse("select lake from etl.owner") == [(lake.lake,)]
    found = pipeline.warehouse("select batch, publication_digest is null, lake is null from etl.batch order by 1")
    assert found == [(1, True, True), (2, True, True), (3, True, True), (4, False, False)]


def test_g5_two_environments_in_one_database_have_a_ledger_each(pipeline, old, new, monkeypatch):
    monkeypatch.setenv("WAREHOUSE_SCHEMA", "dev")
    publish_some(new)
    assert new.pipeline.load()["loaded"] == [1, 2, 3]
    assert pipeline.warehouse("select lake, star_schema from etl_dev.owner") == [(new.lake, "dev")]
    assert pipeline.warehouse("select lake, star_schema from etl.owner") == [(old.lake, "public")]
    monkeypatch.setenv("LEDGER_SCHEMA", "etl")
    with pytest.raises(CustodyError, match=f"belongs to lake {old.lake}"):
        new.pipeline.load()


def test_g5_star_tables_that_another_ledger_tells_of_are_left_alone(pipeline, old, monkeypatch):
    """As after an upgrade: earlier releases kept the ledger in etl, whatever the star tables' schema."""
    monkeypatch.setenv("LEDGER_SCHEMA", "etl_elsewhere")
    before = dump(pipeline.warehouse_url)
    with pytest.raises(
        CustodyError, match=r"Ledger etl_elsewhere is empty, and fact_sales_order, fact_payment hold rows"
    ):
        pipeline.load()
    assert dump(pipeline.warehouse_url) == before


def test_g11_a_rebuild_of_a_foreign_warehouse_needs_to_be_told_so(pipeline, old, new):
    new.publish({"dim_design": [(7, "Wooden", "/usr", "f.json")]})
    new.list_files()
    before = dump(pipeline.warehouse_url)
    with pytest.raises(CustodyError, match=r'belongs to.*\{"mode": "take_over"\}'):
        new.pipeline.load({"step": "rebuild"})
    assert dump(pipeline.warehouse_url) == before
    assert new.pipeline.load(TAKE_OVER)["last"] == 1
    assert dump(pipeline.warehouse_url) | {"dim_date": ()} == _fresh(new) | {"dim_date": ()}  # a longer calendar stays
    new.publish({"dim_design": [(8, "Wooden", "/usr", "f.json")]})
    assert new.pipeline.load()["loaded"] == [2]
    _as(pipeline)
    with pytest.raises(CustodyError, match=f"belongs to lake {new.lake}"):
        pipeline.load()


def test_g11_a_warehouse_is_taken_back_only_when_told_so(pipeline, old):
    old.list_files()
    with psycopg.connect(pipeline.warehouse_url) as connection:  # as after restoring the processed bucket
        connection.execute("insert into etl.batch values (4, now(), now())")
    for event in ({}, {"step": "rebuild"}):
        with pytest.raises(CustodyError, match="ahead of the lake"):
            pipeline.load(event)
    assert pipeline.load(TAKE_OVER)["last"] == 3
    assert dump(pipeline.warehouse_url) == _fresh(old)
    assert pipeline.load()["loaded"] == []


def test_g11_the_own_lake_made_anew_is_rebuilt_without_being_told(pipeline, old):
    _make_anew(old)
    with pytest.raises(CustodyError, match=r'has loaded another publication of batch 3.*\{"mode": "rebuild"\}'):
        pipeline.load()
    old.list_files()
    pipeline.load({"step": "rebuild"})
    assert dump(pipeline.warehouse_url) == _fresh(old)
    old.publish({"fact_sales_order": [order(1, 50)]})
    assert pipeline.load()["loaded"] == [4]


def test_g11_a_lake_made_anew_that_takes_batches_together_has_caught_up(pipeline, old):
    """The ledger is at 3; the lake now has 2, listed, and a publication of 3 and 4."""
    old.publish({"dim_design": [(7, "Wooden", "/usr", "f.json")]})
    pipeline.s3.delete_object(Bucket=pipeline.processed, Key=publication_key(4))
    body = pipeline.s3.get_object(Bucket=pipeline.processed, Key=publication_key(3))["Body"].read()
    third = Publication.from_json(body, publication_key(3))
    pipeline.s3.delete_object(Bucket=pipeline.processed, Key=publication_key(3))
    again = FakeLake(pipeline)
    again.lake = old.lake
    for number in (1, 2):
        again.publish({"dim_design": [(number, "Tote", "/x", "1.json")]})
    again.list_files()
    again.batch = 3
    again.put(pipeline.processed, publication_key(4), replace(again.publish(), first=3).to_json())
    assert third.batch == 3 and pipeline.load({"step": "rebuild"})["last"] == 4
    assert pipeline.warehouse("select batch from etl.batch order by 1") == [(1,), (2,), (4,)]
    assert pipeline.load()["loaded"] == []


def test_g11_what_another_lakes_rebuild_left_half_done_is_begun_again(pipeline, old, new):
    """The keys of their files are the same."""
    old.list_files()
    _as(pipeline)
    remaining = iter([900] + [700] * 100)
    assert not run.rebuild(LoadSettings(), lambda: next(remaining)).done
    assert pipeline.warehouse("select count(*) from etl.rebuild_batch") == [(3,)]  # all is copied, nothing exchanged
    _as(new.pipeline)
    new.publish({})
    new.publish({"dim_staff": [(number, "X", "Y", "Z", None, "x") for number in (7, 8)]})
    new.publish({})
    new.publish({})
    new.list_files()
    assert new.pipeline.load(TAKE_OVER)["last"] == 4
    assert dump(pipeline.warehouse_url) | {"dim_date": ()} == _fresh(new) | {"dim_date": ()}


def test_what_does_not_say_clearly_that_it_takes_over_does_not(pipeline, old):
    with pytest.raises(EventError, match="take_over is str"):
        pipeline.load({"step": "rebuild", "take_over": "yes"})
