"""The model is worth something: without any one of the lake's mechanisms it finds a history that goes wrong, and how.

Run by ``make model``; it takes some minutes.
"""

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import Phase
from pyspark.sql import functions as F

from contracts.star import SOURCE_DELETION
from glue_jobs import bulk, deletions, reader, retention, small, writing
from glue_jobs.errors import LakeReconciliationError, TransformError
from glue_jobs.incoming import HELD
from glue_jobs.lake import Lake
from glue_jobs.workplace import Batch, unchanged
from tests.spark.model.machine import run_model

EXAMPLES = 60


def _functions(**others):
    """Spark's functions, some replaced, for one module alone."""
    return SimpleNamespace(**{**vars(F), **others})


def every_row_read_again_is_a_change(patch):
    known = small._known
    patch.setattr(small, "_known", lambda *a: dict.fromkeys(known(*a), ""))


def the_oldest_version_is_compared_with(patch):
    patch.setattr(small, "F", _functions(max_by=F.min_by))
    patch.setattr(deletions, "F", _functions(max_by=F.min_by))


def a_key_that_comes_back_is_compared_with_what_was_deleted(patch):
    patch.setattr(Batch, "has_deletions", property(lambda _: False))


def deletions_are_not_written(patch):
    patch.setattr("glue_jobs.publish.deletions.record", lambda batch, _: unchanged(batch.before[SOURCE_DELETION.name]))


def deletions_are_not_looked_for(patch):
    patch.setattr("glue_jobs.publish.deletions.reconciled", lambda batch, table, outcome: outcome)


def rows_that_were_held_back_are_forgotten(patch):
    plain = small.raw_rows
    patch.setattr(small, "raw_rows", lambda *a: plain(*a).where(f"not {HELD}"))


def what_a_row_refers_to_is_not_looked_for(patch):
    patch.setattr("glue_jobs.references.References.missing", lambda *_: set())


def a_dimensions_changed_row_is_added_beside_the_old_one(patch):
    patch.setattr(small, "replaces", lambda *_: False)


def a_batch_begun_again_adds_its_rows_again(patch):
    """A commit of the batch is found when this run has made it, and not when an earlier one has."""
    plain_head, plain_write, made = Batch.head, writing.write, {}

    def head(batch, table):
        found = plain_head(batch, table)
        is_known = (id(batch), table.name) in made or not table.record_id
        return found if is_known else replace(found, commit=None)

    def write(batch, table, *arguments):
        plain_write(batch, table, *arguments)
        made[id(batch), table.name] = batch

    def append(lake, table, rows, batch, figures, head):
        lake._commit(lake._writer(table, rows, batch, figures, head), lambda writer: writer.append())

    patch.setattr(Batch, "head", head)
    patch.setattr(small, "write", write)
    patch.setattr(bulk, "write", write)
    patch.setattr(Lake, "append", append)


def maintenance_takes_what_no_load_has_confirmed(patch):
    plain = retention.due
    patch.setattr("glue_jobs.lake.due", lambda *a, confirmed, **o: plain(*a, confirmed=2**31, **o))


def maintenance_takes_the_state_that_the_next_batch_begins_from(patch):
    patch.setattr("glue_jobs.maintain.newest_publication_number", lambda _: 2**31)


def held_rows_are_read_by_the_publications_snapshot(patch):
    def rows_before(batch, table):
        rows = batch.place.lake.read(table, batch.before[table.name].snapshot_id)
        return rows if batch.before[table.name].snapshot_id else rows.where("false")

    patch.setattr(Batch, "rows_before", rows_before)


def what_a_batch_that_was_left_out_has_committed_stays(patch):
    patch.setattr(Batch, "begin", lambda *_: None)


def of_a_batch_of_several_runs_any_row_of_a_key_is_taken(patch):
    """The row of the oldest run instead of the newest."""
    patch.setattr(reader, "F", _functions(max_by=F.min_by))


@pytest.mark.skipif("MODEL_EXAMPLES" not in os.environ, reason="takes minutes: make model runs it")
@pytest.mark.parametrize(
    ("without", "error", "message"),
    [
        (every_row_read_again_is_a_change, AssertionError, "^fact_(sales_order|payment): "),
        (the_oldest_version_is_compared_with, AssertionError, "^fact_(sales_order|payment): "),
        (a_key_that_comes_back_is_compared_with_what_was_deleted, LakeReconciliationError, "the lake holds"),
        (deletions_are_not_written, AssertionError, "^source_deletion: "),
        (deletions_are_not_looked_for, AssertionError, "^source_deletion: "),
        (
            rows_that_were_held_back_are_forgotten,
            (LakeReconciliationError, AssertionError),
            "the lake holds|quarantine",
        ),
        (what_a_row_refers_to_is_not_looked_for, AssertionError, "^(fact_payment|dim_transaction|quarantine): "),
        (a_dimensions_changed_row_is_added_beside_the_old_one, AssertionError, "^dim_transaction: "),
        (a_batch_begun_again_adds_its_rows_again, AssertionError, "^fact_(sales_order|payment): "),
        (maintenance_takes_what_no_load_has_confirmed, AssertionError, "is gone"),
        (maintenance_takes_the_state_that_the_next_batch_begins_from, TransformError, "the snapshot before it is gone"),
        (held_rows_are_read_by_the_publications_snapshot, TransformError, "Cannot find snapshot"),
        (what_a_batch_that_was_left_out_has_committed_stays, AssertionError, "^(fact|dim_)"),
        (of_a_batch_of_several_runs_any_row_of_a_key_is_taken, AssertionError, "^fact_(sales_order|payment): "),
    ],
    ids=lambda mechanism: getattr(mechanism, "__name__", ""),
)
def test_without_a_mechanism_the_model_fails(servers, spark, monkeypatch, without, error, message):
    without(monkeypatch)
    with pytest.raises(error, match=message):
        run_model(
            servers,
            spark,
            monkeypatch,
            EXAMPLES,
            derandomize=True,
            phases=[Phase.generate],
            report_multiple_bugs=False,
        )
