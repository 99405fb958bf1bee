"""Which publications are loaded, and whether a batch may commit."""

from contextlib import contextmanager
from datetime import datetime

import pytest

from contracts.tables.lake import HISTORIES, SOURCE_DELETION
from contracts.tables.star import STAR_TABLES
from lambdas.errors import PublicationGapError, ReconciliationError
from lambdas.load.custody import Custody, Entry, check_follows
from lambdas.load.loading import load_publication
from lambdas.load.warehouse.naming import Naming
from lambdas.load.warehouse.views import views
from local.home import ROOT
from tests.support.samples import TIME, publication, table_publication
from tools.warehouse_script import render


class FakeLake:
    """Three rows in every table."""

    bucket = "processed"

    def __init__(self, lose=0):
        self.lose = lose

    def rows(self, table, files, batch=None):
        return range(3 - self.lose)


class FakeLedger:
    """The ledger of a warehouse that shows batches up to `last`."""

    def __init__(self, last):
        self.last, self.recorded = last, []

    def custody(self):
        entry = Entry(self.last, datetime.fromisoformat(TIME), datetime.fromisoformat(TIME), "digest")
        return Custody("etl", None, entry if self.last else None)

    def entry(self, batch):
        found = publication(batch)
        moments = (datetime.fromisoformat(found.snapshot_time), datetime.fromisoformat(found.published_at))
        return Entry(batch, *moments, found.digest) if batch <= self.last else None

    def filled_facts(self):
        return []

    def bind(self, owner):
        assert owner.bucket == FakeLake.bucket

    def record(self, published):
        self.recorded.append(published.batch)


class FakeWarehouse:
    naming, connection = Naming("public", "etl"), None

    def __init__(self, last=0):
        self.ledger, self.written, self.committed = FakeLedger(last), [], []

    @contextmanager
    def transaction(self, what):
        yield
        self.committed += self.ledger.recorded

    def lock(self):
        self.written = []

    def append(self, table, rows, expected):
        self.written.append(table.name)
        assert len(rows) == expected
        return len(rows)

    def stage(self, table, rows):
        return table.name, self.append(table, rows, len(rows))

    def upsert(self, table, staged):
        assert staged == table.name == self.written[-1]

    def replace(self, table, staged):
        assert staged == table.name == self.written[-1]

    def delete(self, published, staged):
        assert staged == SOURCE_DELETION.name == self.written[-1]


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    """The tables whose new keys are counted, and whether the whole was checked at the end."""
    found = []

    class FakeReconciliation:
        def __init__(self, connection, naming, published, *, is_first):
            pass

        def count_new_keys(self, table, rows):
            found.append(table.name)

        def check(self):
            found.append("checked")

    monkeypatch.setattr("lambdas.load.loading.Reconciliation", FakeReconciliation)
    return found


def test_a_gap_between_publications_stops_loudly():
    check_follows(publication(5), 4)
    check_follows(publication(5), 5)  # loaded already: the ledger tells
    with pytest.raises(PublicationGapError, match=r"00000006.*ends with batch 5 is missing.*nothing after 4"):
        check_follows(publication(6), 4)


def test_dimensions_are_written_before_facts_and_all_is_checked_before_the_commit(counted):
    warehouse = FakeWarehouse()
    assert load_publication(warehouse, FakeLake(), publication(1))
    histories = [table.name for table in HISTORIES.values()]
    assert warehouse.written == [*STAR_TABLES, *histories, "source_deletion"]
    assert counted == [*STAR_TABLES, "checked"]
    assert warehouse.committed == [1]


def test_a_table_without_changes_is_not_touched():
    warehouse = FakeWarehouse()
    empty = table_publication(inserted=0)
    untouched = type(empty)(**{**{f: getattr(empty, f) for f in empty.__dataclass_fields__}, "files": ()})
    load_publication(warehouse, FakeLake(), publication(1, dim_staff=untouched))
    assert "dim_staff" not in warehouse.written


def test_g2_a_batch_that_is_not_the_next_is_left_alone():
    warehouse = FakeWarehouse(last=1)
    assert not load_publication(warehouse, FakeLake(), publication(1))
    assert warehouse.written == [] and warehouse.committed == []


def test_g5_a_lost_row_rolls_the_batch_back():
    warehouse = FakeWarehouse()
    with pytest.raises(ReconciliationError, match=r"dim_date.*2 rows.*says 3"):
        load_publication(warehouse, FakeLake(lose=1), publication(1))
    assert warehouse.committed == []


def test_views_are_named_after_the_source():
    names = list(views(Naming("public", "etl")))
    facts = [
        f"{kind}_{source}" for kind in ("current", "history") for source in ("sales_order", "purchase_order", "payment")
    ]
    dimensions = ["history_staff", "history_design", "history_counterparty", "history_location"]
    marts = ["sales_by_day", "purchases_by_day", "payments_by_day", "payment_ageing", "order_to_payment"]
    assert names == [*facts, *dimensions, *marts]


def test_the_script_that_prepares_a_warehouse_is_the_one_in_the_documents():
    text = (ROOT / "docs" / "sql" / "create_warehouse.sql").read_text()
    assert text == render(Naming("public", "etl"))
