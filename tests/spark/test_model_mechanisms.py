"""The model is worth something: without any one of the lake's mechanisms it says of a history that it goes wrong, and how.

Run by ``make model``; it takes some minutes.
"""

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pyspark.sql import functions as F

from contracts.tables.lake import SOURCE_DELETION
from glue_jobs import batch_run, commit
from glue_jobs.context import Batch, unchanged
from glue_jobs.errors import LakeReconciliationError, TransformError
from glue_jobs.lake import retention
from glue_jobs.lake.maintenance import MaintainedLake as Lake
from glue_jobs.staging import parts
from glue_jobs.staging.rows import QUARANTINED
from glue_jobs.versions import by_join, by_lookup, known, newest
from tests.spark.model import histories
from tests.spark.model.machine import LakeModel, prepare


def _functions(**others):
    """Spark's functions, some replaced, for one module alone."""
    return SimpleNamespace(**{**vars(F), **others})


def every_row_read_again_is_a_change(patch):
    plain = by_lookup.known_versions
    patch.setattr(by_lookup, "known_versions", lambda *a: dict.fromkeys(plain(*a), ""))


def the_oldest_version_is_compared_with(patch):
    patch.setattr(newest, "F", _functions(max_by=F.min_by))


def a_key_that_comes_back_is_compared_with_what_was_deleted(patch):
    patch.setattr(Batch, "has_deletions", property(lambda _: False))


def what_a_run_remembers_outlives_deletions(patch):
    patch.setattr(known, "_state", lambda staged, commit: (commit.snapshot_id, ""))


def deletions_are_not_written(patch):
    patch.setattr(
        "glue_jobs.batch_run.deletions.record", lambda batch, _: unchanged(batch.before[SOURCE_DELETION.name])
    )


def deletions_are_not_looked_for(patch):
    patch.setattr("glue_jobs.batch_run.deletions.reconciled", lambda batch, table, outcome: outcome)


def quarantined_rows_are_forgotten(patch):
    plain = batch_run.raw_rows
    patch.setattr(batch_run, "raw_rows", lambda *a: plain(*a).where(f"not {QUARANTINED}"))


def what_a_row_refers_to_is_not_looked_for(patch):
    patch.setattr("glue_jobs.staging.references.References.missing", lambda *_: set())


def a_dimensions_changed_row_is_added_beside_the_old_one(patch):
    patch.setattr(by_lookup, "replaces", lambda *_: False)


def a_batch_begun_again_adds_its_rows_again(patch):
    """A commit of the batch is found when this run has made it, and not when an earlier one has."""
    plain_head, plain_write, made = Batch.head, commit.write, {}

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
    patch.setattr(by_lookup, "write", write)
    patch.setattr(by_join, "write", write)
    patch.setattr(Lake, "append", append)


def maintenance_takes_what_no_load_has_confirmed(patch):
    plain = retention.due
    patch.setattr("glue_jobs.lake.maintenance.due", lambda *a, confirmed, **o: plain(*a, confirmed=2**31, **o))


def maintenance_takes_the_state_that_the_next_batch_begins_from(patch):
    patch.setattr("glue_jobs.maintenance.maintain.newest_publication_number", lambda _: 2**31)


def quarantined_rows_are_read_by_the_publications_snapshot(patch):
    """Maintenance rewrites the lists of files, whether there are several or not, and the snapshot before goes."""

    def rows_before(batch, table):
        rows = batch.context.lake.read(table, batch.before[table.name].snapshot_id)
        return rows if batch.before[table.name].snapshot_id else rows.where("false")

    def rewrite_manifests(lake, table):
        lake._spark.sql(
            f"call glue_catalog.system.rewrite_manifests(table => '{lake._database}.{table.name}', use_caching => false)"
        )

    patch.setattr(Batch, "rows_before", rows_before)
    patch.setattr(Lake, "rewrite_manifests", rewrite_manifests)


def what_a_batch_that_was_left_out_has_committed_stays(patch):
    patch.setattr(Batch, "begin", lambda *_: None)


def of_a_batch_of_several_runs_any_row_of_a_key_is_taken(patch):
    """The row of the oldest run instead of the newest."""
    patch.setattr(parts, "F", _functions(max_by=F.min_by))


MUTANTS = [
    (every_row_read_again_is_a_change, histories.read_twice, AssertionError, "^fact_"),
    (the_oldest_version_is_compared_with, histories.there_and_back, AssertionError, "^fact_sales_order: "),
    (
        a_key_that_comes_back_is_compared_with_what_was_deleted,
        histories.deleted_and_back,
        LakeReconciliationError,
        "the lake holds",
    ),
    (
        what_a_run_remembers_outlives_deletions,
        histories.deleted_and_back_in_one_run,
        LakeReconciliationError,
        "the lake holds",
    ),
    (deletions_are_not_written, histories.deleted, AssertionError, "^source_deletion: "),
    (deletions_are_not_looked_for, histories.deleted, AssertionError, "^source_deletion: "),
    (quarantined_rows_are_forgotten, histories.quarantined, LakeReconciliationError, "and 0 are quarantined"),
    (what_a_row_refers_to_is_not_looked_for, histories.quarantined, AssertionError, "^fact_payment: "),
    (
        a_dimensions_changed_row_is_added_beside_the_old_one,
        histories.deleted_and_back,
        AssertionError,
        "^dim_transaction: ",
    ),
    (a_batch_begun_again_adds_its_rows_again, histories.killed_before_it_is_published, AssertionError, "^fact_"),
    (
        maintenance_takes_what_no_load_has_confirmed,
        histories.waiting_for_the_warehouse,
        AssertionError,
        r"^batch \d+, table .* is gone",
    ),
    (
        maintenance_takes_the_state_that_the_next_batch_begins_from,
        histories.left_out_after_maintenance,
        TransformError,
        "the snapshot before it is gone",
    ),
    (
        quarantined_rows_are_read_by_the_publications_snapshot,
        histories.quarantined_over_maintenance,
        Exception,
        "Cannot find snapshot",
    ),
    (
        what_a_batch_that_was_left_out_has_committed_stays,
        histories.left_out,
        AssertionError,
        "^fact_sales_order: ",
    ),
    (
        of_a_batch_of_several_runs_any_row_of_a_key_is_taken,
        histories.in_several_runs,
        AssertionError,
        "^fact_sales_order: ",
    ),
]


@pytest.mark.skipif("MODEL_EXAMPLES" not in os.environ, reason="takes minutes: make model runs it")
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant[0].__name__)
def test_without_a_mechanism_the_model_fails(servers, spark, monkeypatch, mutant):
    without, history, error, message = mutant
    prepare(servers, spark, monkeypatch)
    history(LakeModel())  # nothing is wrong with it
    without(monkeypatch)
    with pytest.raises(error, match=message):
        history(LakeModel())
