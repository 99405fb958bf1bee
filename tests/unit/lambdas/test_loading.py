"""Which publications are loaded, and whether a batch may commit."""

from contextlib import contextmanager

import pytest

from contracts.star import STAR_TABLES
from lambdas.errors import PublicationGapError, ReconciliationError
from lambdas.load.ddl import create_views, view_names
from lambdas.load.loading import check_follows, load_publication
from tests.support.samples import publication, table_publication


class FakeWarehouse:
    def __init__(self, last=0, lose=0):
        self.last, self.lose, self.written, self.committed = last, lose, [], []

    @contextmanager
    def batch(self, published):
        is_next = self.last == published.first - 1
        yield is_next
        if is_next:
            self.committed.append(published.batch)

    def write(self, table, rows):
        self.written.append(table.name)
        return sum(count for _, count in rows) - self.lose

    def delete(self, published, rows):
        self.written.append("source_deletion")
        return sum(count for _, count in rows) - self.lose


def _rows(table):
    return [(b"1\n", 1), (b"2\n3\n", 2)]


def test_a_gap_between_publications_stops_loudly():
    check_follows(publication(5), 4)
    check_follows(publication(5), 5)  # loaded already: the ledger tells
    with pytest.raises(PublicationGapError, match=r"00000006.*ends with batch 5 is missing.*nothing after 4"):
        check_follows(publication(6), 4)


def test_dimensions_are_written_before_facts():
    warehouse = FakeWarehouse()
    assert load_publication(warehouse, publication(1), _rows)
    assert warehouse.written == [*STAR_TABLES, "source_deletion"] and warehouse.committed == [1]


def test_a_table_without_changes_is_not_touched():
    warehouse = FakeWarehouse()
    empty = table_publication(inserted=0)
    untouched = type(empty)(**{**{f: getattr(empty, f) for f in empty.__dataclass_fields__}, "files": ()})
    load_publication(warehouse, publication(1, dim_staff=untouched), _rows)
    assert "dim_staff" not in warehouse.written


def test_g2_a_batch_that_is_not_the_next_is_left_alone():
    warehouse = FakeWarehouse(last=1)
    assert not load_publication(warehouse, publication(1), _rows)
    assert warehouse.written == [] and warehouse.committed == []


def test_g5_a_lost_row_rolls_the_batch_back():
    warehouse = FakeWarehouse(lose=1)
    with pytest.raises(ReconciliationError, match=r"dim_date.*2 rows.*says 3"):
        load_publication(warehouse, publication(1), _rows)
    assert warehouse.committed == []


def test_views_are_named_after_the_source():
    assert view_names() == [
        "current_sales_order",
        "history_sales_order",
        "current_purchase_order",
        "history_purchase_order",
        "current_payment",
        "history_payment",
    ]
    assert len(create_views("public", "etl")) == 6
