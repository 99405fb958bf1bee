"""G3: a batch that cannot be transformed gives way to the next full one, and nothing of it is counted."""

import pytest

from contracts.errors import CustodyError, DamagedDocumentError
from contracts.protocol.object_layout import manifest_key, publication_key
from contracts.tables.lake import LAKE_TABLES
from glue_jobs.errors import ConflictError, IngestionDamagedError, LakeReconciliationError
from glue_jobs.lake.tables import Lake
from tests.spark.model import checks
from tests.spark.model.expected import Expected
from tests.spark.model.machine import Killed, first_source, new_order
from tests.spark.model.stage import Stage

FACTS = ("sales_order", "transaction", "payment")


class History:
    """Two published batches, then a damaged one with a bad order and one that is due in another year."""

    def __init__(self, servers, spark, what):
        self.stage, self.source, self.expected = Stage(servers, spark), first_source(), Expected()
        self.full()
        new_order(self.source, 1)
        self.commit({1})
        self.stage.run()
        new_order(self.source, 2, day="2031-01-01")
        new_order(self.source, 3, day="soon")
        self.source["design"][1]["file_name"] = "left out"
        damaged = self.stage.commit(self.source, self.read({2, 3}) | {"design": {1}}, keys=False)
        self.stage.spoil(damaged, what)

    def read(self, keys):
        return dict.fromkeys(FACTS, keys)

    def commit(self, keys):
        manifest = self.stage.commit(self.source, self.read(keys), keys=False)
        self.expected.apply(manifest.batch, self.source, self.read(keys), False)

    def full(self):
        manifest = self.stage.commit(self.source, {}, keys=False, is_full=True)
        self.expected.apply(manifest.batch, self.source, self.source, True)

    def mend(self):
        for name in FACTS:
            del self.source[name][3]
        self.source["sales_order"][2]["agreed_delivery_date"] = "2024-01-01"
        self.source["design"][1]["file_name"] = "mended"


@pytest.mark.parametrize(
    ("what", "error"),
    [("checksum", LakeReconciliationError), ("part", IngestionDamagedError), ("manifest", DamagedDocumentError)],
)
def test_g3_a_batch_that_cannot_be_transformed_gives_way_to_the_next_full_one(servers, spark, capsys, what, error):
    history = History(servers, spark, what)
    stage = history.stage
    for _ in range(2):
        with pytest.raises(error):
            stage.run()
    history.mend()
    stage.commit(history.source, {}, keys=False)  # not a full one: nothing changes
    with pytest.raises(error):
        stage.run()
    history.full()
    new_order(history.source, 4)
    history.commit({4})
    capsys.readouterr()
    stage.run()
    told = capsys.readouterr().out
    checks.lake(stage, history.expected)
    publication = stage.processed.get(publication_key(5)).decode()
    assert '"first":3' in publication
    assert '"superseded":[{"batch":3,' in publication and '{"batch":4,' in publication
    assert "batch 3: left out, batch 5 holds everything: " in told and "batch 4: left out" in told
    histories = sorted((r["batch_id"], r["file_name"]) for r in stage.table("dim_design_history"))
    assert histories == [(5, "1"), (5, "mended")]
    assert {row["batch_id"] for row in stage.table("quarantine")} == set()
    years = {row["year"] for row in stage.table("dim_date")}
    assert years == {2024}


@pytest.mark.parametrize("commits", [0, 2, 4])
def test_g3_a_run_that_dies_while_one_batch_gives_way_to_another_is_finished_by_the_next(servers, spark, commits):
    history = History(servers, spark, "checksum")
    stage = history.stage
    with pytest.raises(LakeReconciliationError):
        stage.run()
    history.mend()
    history.full()
    plain, done = Lake._commit, []

    def dying(self, *arguments):
        plain(self, *arguments)
        done.append(1)
        if len(done) > commits:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lake, "_commit", dying)
        with pytest.raises(Killed):
            stage.run()
    stage.run()
    checks.lake(stage, history.expected)
    stage.run()


def test_g3_a_table_that_another_run_changes_meanwhile_is_taken_back_again(servers, spark, monkeypatch):
    history = History(servers, spark, "checksum")
    stage = history.stage
    with pytest.raises(LakeReconciliationError):
        stage.run()
    history.mend()
    history.full()
    plain, raced = Lake.take_back, []

    def late(self, table, batch):
        if table.name not in raced:
            raced.append(table.name)
            raise ConflictError("another run has committed to the table")
        plain(self, table, batch)

    monkeypatch.setattr(Lake, "take_back", late)
    stage.run()
    assert "fact_sales_order" in raced
    checks.lake(stage, history.expected)


def test_g5_a_batch_of_another_lake_is_refused_and_replaced_by_none(servers, spark):
    history = History(servers, spark, "checksum")
    stage = history.stage
    stage.ingestion.put(
        manifest_key(3), stage.ingestion.get(manifest_key(3)).replace(b"0123456789abcdef0123456789abcdef", b"f" * 32)
    )
    history.full()
    before = {name: stage.lake.head(table).snapshot_id for name, table in LAKE_TABLES.items()}
    with pytest.raises(CustodyError, match="Batch 3 is of lake f"):
        stage.run()
    assert {name: stage.lake.head(table).snapshot_id for name, table in LAKE_TABLES.items()} == before


def test_g5_an_ingestion_bucket_that_is_not_the_published_one_is_refused(servers, spark):
    history = History(servers, spark, "manifest")
    stage = history.stage
    own = stage.ingestion.get(manifest_key(2))
    stage.ingestion.put(manifest_key(2), own.replace(b'"horizon":2', b'"horizon":3'))
    with pytest.raises(
        CustodyError, match=r"batches/00000002\.json is not the manifest that publications/00000002\.json"
    ):
        stage.run()
    stage.ingestion.put(manifest_key(2), own)
    history.mend()
    history.full()
    stage.run()
    checks.lake(stage, history.expected)


def test_g3_an_emptied_ingestion_bucket_goes_on_after_the_lakes_newest_publication(servers, spark):
    history = History(servers, spark, "manifest")
    stage = history.stage
    for number in (1, 2, 3):
        stage.s3.delete_object(Bucket=stage.ingestion.name, Key=manifest_key(number))
    stage.number = stage.whole = 2  # the extraction goes on with 3, and reads everything
    history.mend()
    history.full()
    stage.run()
    checks.lake(stage, history.expected)
    assert stage.published().first == 3
