"""Which publications are loaded, and whether a batch may commit."""

from contextlib import contextmanager

import pytest

from contracts.tables.lake import HISTORIES, SOURCE_DELETION
from contracts.tables.star import STAR_TABLES
from lambdas.errors import PublicationGapError, ReconciliationError
from lambdas.load.custody import check_follows
from lambdas.load.loading import load_publication
from lambdas.load.warehouse.naming import Naming
from lambdas.load.warehouse.views import views
from local.home import ROOT
from tests.support.samples import publication, table_publication
from tools.warehouse_script import render


class FakeLake:
    """Three rows in every table."""

    bucket = "processed"

    def __init__(self, lose=0):
        self.lose = lose

    def rows(self, table, files, batch=None):
        return range(3 - self.lose)


class FakeWarehouse:
    def __init__(self, last=0):
        self.last, self.written, self.committed = last, [], []

    @contextmanager
    def batch(self, published, bucket):
        assert bucket == FakeLake.bucket
        is_next = self.last == published.first - 1
        yield self if is_next else None
        if is_next:
            self.committed.append(published.batch)

    def write(self, table, rows, reconciliation):
        return self.replace(table, rows)

    def replace(self, table, rows):
        self.written.append(table.name)
        return len(rows)

    def delete(self, published, rows):
        return self.replace(SOURCE_DELETION, rows)

    def check(self):
        self.written.append("reconciled")


def test_a_gap_between_publications_stops_loudly():
    check_follows(publication(5), 4)
    check_follows(publication(5), 5)  # loaded already: the ledger tells
    with pytest.raises(PublicationGapError, match=r"00000006.*ends with batch 5 is missing.*nothing after 4"):
        check_follows(publication(6), 4)


def test_dimensions_are_written_before_facts():
    warehouse = FakeWarehouse()
    assert load_publication(warehouse, FakeLake(), publication(1))
    histories = [table.name for table in HISTORIES.values()]
    assert warehouse.written == [*STAR_TABLES, *histories, "source_deletion", "reconciled"]
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
        f"{kind}_{source}" for source in ("sales_order", "purchase_order", "payment") for kind in ("current", "history")
    ]
    assert names == [*facts, "history_staff", "history_design", "history_counterparty", "history_location"]


def test_the_script_that_prepares_a_warehouse_is_the_one_in_the_documents():
    text = (ROOT / "docs" / "sql" / "create_warehouse.sql").read_text()
    assert text == render(Naming("public", "etl"))
